import type { JsonObject } from "@bufbuild/protobuf";
import { fromBinary, type Message, type Registry } from "@bufbuild/protobuf";
import type { Response } from "express";
import type { Binding } from "../bindings/binding.ts";
import { encodeMessage } from "../json/encode.ts";

/** A whole answer, ready to be sent: text, which Node sends in one write with the head, or bytes. */
export interface Answer {
  readonly contentType: string;
  readonly body: string | Uint8Array;
}

/** A message that is a body of its own: bytes and their type, not JSON. */
export const httpBody = "google.api.HttpBody";

/** Reads an answer's bytes: JSON, or for google.api.HttpBody the bytes within. */
export function answerOf(binding: Binding, bytes: Uint8Array, registry: Registry): Answer {
  const { output } = binding.method;
  const message = fromBinary(output, bytes);
  if (output.typeName === httpBody) return raw(message);
  if (binding.responseBody?.message?.typeName === httpBody && binding.responseBody.fieldKind === "message") {
    return raw((message as Message & Record<string, Message | undefined>)[binding.responseBody.localName]);
  }
  return { contentType: "application/json", body: jsonOf(binding, message, registry) };
}

/** The JSON text of an answer, or of the one field of it that is the response's body. */
export function jsonOf(binding: Binding, message: Message, registry: Registry): string {
  const json = encodeMessage(binding.method.output, message, registry);
  const field = binding.responseBody;
  // A member of a oneof that is not set has no key at all.
  return JSON.stringify(field === undefined ? json : ((json as JsonObject)[field.jsonName] ?? null));
}

function raw(message: Message | undefined): Answer {
  const { contentType = "", data = new Uint8Array(0) } = (message ?? {}) as { contentType?: string; data?: Uint8Array };
  return { contentType: contentType === "" ? "application/octet-stream" : contentType, body: data };
}

export function sendAnswer(response: Response, { contentType, body }: Answer): void {
  response.statusCode = 200;
  response.setHeader("Content-Type", contentType);
  response.setHeader("Content-Length", Buffer.byteLength(body));
  response.end(body);
}
