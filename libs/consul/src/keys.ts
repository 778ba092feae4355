import type { Abortable } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import type { Consul, ConsulAnswer } from "./consul.ts";
import { type WatchOptions, watchQuery } from "./watch-query.ts";

/** The largest value of a key that a Consul server accepts by default: 512 KiB. */
export const maxValueBytes = 512 * 1024;

export interface KeyOptions extends Abortable {
  /** The largest value. 512 KiB. */
  readonly maxBytes?: number | undefined;
}

/** Resolves with the value of a key, or undefined if there is none. */
export async function getKey(consul: Consul, key: string, options: KeyOptions = {}): Promise<string | undefined> {
  const { maxBytes = maxValueBytes, signal } = options;
  const path = pathOf(key);
  const answer = await consul.call({ path, query: { raw: "" }, maxBytes, mayBeMissing: true, signal });
  return valueOf(answer, key, maxBytes);
}

/** Sets the value of a key. */
export async function putKey(consul: Consul, key: string, value: string, options: Abortable = {}): Promise<void> {
  await consul.call({ method: "PUT", path: pathOf(key), body: value, ...options });
}

/** Deletes a key. Resolves also if there is none. */
export async function deleteKey(consul: Consul, key: string, options: Abortable = {}): Promise<void> {
  await consul.call({ method: "DELETE", path: pathOf(key), ...options });
}

/** Yields the value of a key, or undefined while there is none, and again when it has changed. */
export function watchKey(
  consul: Consul,
  key: string,
  options: WatchOptions & KeyOptions,
): AsyncIterable<string | undefined> {
  const { maxBytes = maxValueBytes } = options;
  const query = {
    path: pathOf(key),
    query: { raw: "" },
    maxBytes,
    mayBeMissing: true,
    parse: (answer: ConsulAnswer) => valueOf(answer, key, maxBytes),
  };
  return watchQuery(consul, query, options);
}

function valueOf({ status, body }: ConsulAnswer, key: string, maxBytes: number): string | undefined {
  if (status === 404) return undefined;
  if (body !== undefined) return body.toString();
  throw new ServiceError("resource_exhausted", `the key ${key} of Consul: expected at most ${maxBytes} bytes`);
}

function pathOf(key: string): string {
  if (key === "" || key.startsWith("/")) {
    throw new ServiceError("invalid_argument", `${JSON.stringify(key)} is no key of Consul: it starts with a name`);
  }
  return `/v1/kv/${key.split("/").map(encodeURIComponent).join("/")}`;
}
