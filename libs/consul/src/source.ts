import { type DocumentOptions, documentSource, maxDocumentBytes, type Refusal, type Source } from "@plumbline/config";
import { codeOf } from "@plumbline/errors";
import type { Consul, ConsulAnswer } from "./consul.ts";
import { keyQuery, pathOf, readKey, valueOf } from "./keys.ts";
import { type WatchOptions, watchQuery } from "./watch-query.ts";

export interface ConsulSourceOptions
  extends Pick<DocumentOptions, "optional" | "cacheFile" | "onStale" | "onCacheFailure">,
    Pick<WatchOptions, "waitMs"> {}

/**
 * Returns a source over one YAML or JSON document, the value of a key such as
 * "plumbline/config/orders.yaml". See `documentSource` for its guarantees. Problems name the URL of
 * the key and the line.
 */
export function consulSource(consul: Consul, key: string, options: ConsulSourceOptions = {}): Source {
  const { waitMs, ...rest } = options;
  const name = `${consul.url}${pathOf(key)}`;
  /** The result of the running watch. Reads are answered from it, so that both always agree. */
  let watched: { readonly value: Buffer | Refusal | undefined } | { readonly error: unknown } | undefined;

  return documentSource({
    ...rest,
    name,
    async read({ signal }) {
      if (watched !== undefined) {
        if ("error" in watched) throw watched.error;
        return watched.value;
      }
      try {
        return await readKey(consul, key, { maxBytes: maxDocumentBytes, signal });
      } catch (error) {
        return refusalOf(error) ?? Promise.reject(error);
      }
    },
    async *changes(signal) {
      const ofFault = (error: unknown): NonNullable<typeof watched> => {
        const refusal = refusalOf(error);
        return refusal === undefined ? { error } : { value: refusal };
      };
      const query = {
        ...keyQuery(key, maxDocumentBytes),
        parse: (answer: ConsulAnswer): NonNullable<typeof watched> => ({
          value: valueOf(answer, key, maxDocumentBytes),
        }),
        ofFault,
      };
      try {
        for await (const result of watchQuery(consul, query, { waitMs, signal })) {
          watched = result;
          yield;
        }
      } finally {
        watched = undefined;
      }
    },
  });
}

/** Returns the reason if the agent has answered, and undefined if it has not. */
function refusalOf(error: unknown): Refusal | undefined {
  const code = codeOf(error);
  if (code === "permission_denied") {
    return { expected: `a token that may read the key (${error instanceof Error ? error.message : "refused"})` };
  }
  if (code === "resource_exhausted") return { expected: `a document of at most ${maxDocumentBytes} bytes` };
  return undefined;
}
