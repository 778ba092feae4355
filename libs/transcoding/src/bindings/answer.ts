import { fromBinary, type Message } from "@bufbuild/protobuf";
import type { Binding } from "./binding.ts";

/** A whole answer, ready to be sent. */
export interface Answer {
  readonly contentType: string;
  readonly body: string | Uint8Array;
}

/** A message that is a body of its own: bytes and their type, not JSON. */
export const httpBody = "google.api.HttpBody";

/** Reads an answer's bytes: JSON, or for google.api.HttpBody the bytes within. */
export function answerOf({ method, responseBody, answers }: Binding, bytes: Uint8Array): Answer {
  const { output } = method;
  if (output.typeName === httpBody) return raw(fromBinary(output, bytes));
  if (responseBody === undefined) return { contentType: "application/json", body: answers.json(bytes) };
  if (responseBody.fieldKind === "message" && responseBody.message.typeName === httpBody) {
    const message = fromBinary(output, bytes) as Message & Record<string, Message | undefined>;
    return raw(message[responseBody.localName]);
  }
  const [json] = answers.jsonOfEach(bytes, [responseBody]);
  // A member of a oneof that is not set has no key at all.
  return { contentType: "application/json", body: json ?? "null" };
}

/** The JSON text of a stream's message, or of the one field of it that is the body, and the field that is its id. */
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
