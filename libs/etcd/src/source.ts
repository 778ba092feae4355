import { type DocumentOptions, documentSource, type Source } from "@plumbline/config";
import { codeOf } from "@plumbline/errors";
import type { Etcd } from "./etcd.ts";

export type EtcdSourceOptions = Pick<DocumentOptions, "optional" | "cacheFile" | "onStale" | "onCacheFailure">;

/**
 * Returns a source over one YAML or JSON document in etcd, under a key such as
 * "plumbline/config/orders.yaml". `watchConfig` watches the key. See `documentSource` for its
 * guarantees.
 */
export function etcdSource(etcd: Etcd, key: string, options: EtcdSourceOptions = {}): Source {
  return documentSource({
    ...options,
    name: `etcd://${etcd.address}/${key}`,
    async read({ signal }) {
      try {
        const { entries } = await etcd.range({ key }, { signal });
        return entries[0]?.value;
      } catch (error) {
        const expected = refusals.get(codeOf(error));
        if (signal.aborted || expected === undefined) throw error;
        return { expected: `${expected} (${error instanceof Error ? error.message : String(error)})` };
      }
    },
    async *changes(signal) {
      const { revision } = await etcd.range({ key }, { signal, keysOnly: true });
      // Each start reads the document again, so a compaction in between loses nothing.
      for await (const _ of etcd.watch({ key }, { from: revision + 1n, signal })) yield;
    },
  });
}

/** Answers that do not change by themselves, and the state that is expected instead. */
const refusals: ReadonlyMap<string, string> = new Map([
  ["unauthenticated", "a user and a password that etcd knows"],
  ["permission_denied", "a user that may read the key"],
  ["invalid_argument", "a request that etcd takes, with a user if it asks for one"],
]);
