import { fromBinary, type Message } from "@bufbuild/protobuf";
import type { Binding } from "./binding.ts";

/** The body of a response, with its media type. */
export interface Answer {
  readonly contentType: string;
  readonly body: string | Uint8Array;
}

/** The name of the message whose bytes are the body, in place of JSON. */
export const httpBody = "google.api.HttpBody";

/**
 * Makes the body of a response from its message: JSON, or for google.api.HttpBody the bytes inside.
 */
export function answerOf({ method, responseBody, answers }: Binding, bytes: Uint8Array): Answer {
  const { output } = method;
  if (output.typeName === httpBody) return raw(fromBinary(output, bytes));
  if (responseBody === undefined) return { contentType: "application/json", body: answers.json(bytes) };
  if (responseBody.fieldKind === "message" && responseBody.message.typeName === httpBody) {
    const message = fromBinary(output, bytes) as Message & Record<string, Message | undefined>;
    return raw(message[responseBody.localName]);
  }
  const [json] = answers.jsonOfEach(bytes, [responseBody]);
  // An unset member of a oneof has no key.
  return { contentType: "application/json", body: json ?? "null" };
}

/** Makes the JSON of one message of a stream (or of its `response_body`), and its id. */
export function eventOf(
  { responseBody, versionField, answers }: Binding,
  bytes: Uint8Array,
): { readonly json: string; readonly id: string | undefined } {
  if (versionField === undefined && responseBody === undefined) return { json: answers.json(bytes), id: undefined };
  const wanted = versionField === undefined ? [responseBody] : [responseBody, versionField];
  const [json = "null", id] = answers.jsonOfEach(bytes, wanted);
  return { json, id: id === undefined ? undefined : String(JSON.parse(id)) };
}

function raw(message: Message | undefined): Answer {
  const { contentType = "", data = new Uint8Array(0) } = (message ?? {}) as { contentType?: string; data?: Uint8Array };
  return { contentType: contentType === "" ? "application/octet-stream" : contentType, body: data };
}
