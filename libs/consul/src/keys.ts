import type { Abortable } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import type { Consul, ConsulAnswer } from "./consul.ts";
import { type Query, type WatchOptions, watchQuery } from "./watch-query.ts";

/** The largest value of a key that a Consul server accepts by default: 512 KiB. */
export const maxValueBytes = 512 * 1024;

export interface KeyOptions extends Abortable {
  /** The largest value. 512 KiB. */
  readonly maxBytes?: number | undefined;
}

/** Resolves with the value of a key as text, or undefined if there is none. */
export async function getKey(consul: Consul, key: string, options: KeyOptions = {}): Promise<string | undefined> {
  return (await readKey(consul, key, options))?.toString();
}

/** Resolves with the value of a key, or undefined if there is none. */
export async function readKey(consul: Consul, key: string, options: KeyOptions = {}): Promise<Buffer | undefined> {
  const { maxBytes = maxValueBytes, signal } = options;
  const answer = await consul.call({ ...keyQuery(key, maxBytes), signal });
  return valueOf(answer, key, maxBytes);
}

/** Sets the value of a key. */
export async function putKey(
  consul: Consul,
  key: string,
  value: string | Uint8Array,
  options: Abortable = {},
): Promise<void> {
  await consul.call({ method: "PUT", path: pathOf(key), body: value, ...options });
}

/** Deletes a key. Resolves also if there is none. */
export async function deleteKey(consul: Consul, key: string, options: Abortable = {}): Promise<void> {
  await consul.call({ method: "DELETE", path: pathOf(key), ...options });
}

/**
 * Yields the value of a key as text, or undefined while there is none, and again when it has
 * changed.
 */
export function watchKey(
  consul: Consul,
  key: string,
  options: WatchOptions & KeyOptions,
): AsyncIterable<string | undefined> {
  const { maxBytes = maxValueBytes } = options;
  const parse = (answer: ConsulAnswer): string | undefined => valueOf(answer, key, maxBytes)?.toString();
  return watchQuery(consul, { ...keyQuery(key, maxBytes), parse }, options);
}

/** Returns the query of a key's value, without its parser. */
export function keyQuery(key: string, maxBytes: number): Omit<Query<never>, "parse" | "ofFault"> {
  return { path: pathOf(key), query: { raw: "" }, maxBytes, mayBeMissing: true };
}

/** Returns the value in an answer. Throws `resource_exhausted` if it is too large. */
export function valueOf({ status, body }: ConsulAnswer, key: string, maxBytes: number): Buffer | undefined {
  if (status === 404) return undefined;
  if (body !== undefined) return body;
  throw new ServiceError("resource_exhausted", `the key ${key} of Consul: expected at most ${maxBytes} bytes`);
}

/** Returns the path of a key in the HTTP interface. Throws `invalid_argument` for no key. */
export function pathOf(key: string): string {
  if (key === "" || key.startsWith("/")) {
    throw new ServiceError("invalid_argument", `${JSON.stringify(key)} is no key of Consul: it starts with a name`);
  }
  return `/v1/kv/${key.split("/").map(encodeURIComponent).join("/")}`;
}
