import { sleep, within } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import type { WatchCreateRequest, WatchRequest, WatchResponse } from "./gen/etcd/api/etcdserverpb/rpc.ts";
import { Event_EventType, type KeyValue } from "./gen/etcd/api/mvccpb/kv.ts";

/** A key and its value. */
export interface Entry {
  readonly key: string;
  readonly value: Uint8Array;
  /** The revision of the store that last changed the key. */
  readonly revision: bigint;
  /** The lease that the key is removed with; 0 if there is none. */
  readonly lease: bigint;
}

/** A change of one key. */
export type Change =
  | { readonly put: Entry; readonly deleted?: never }
  | { readonly deleted: string; readonly put?: never };

/** The changes of one message of a watch. The first message of a watch has none. */
export interface Changes {
  readonly changes: readonly Change[];
  readonly revision: bigint;
}

/** A watch asks for a sign of life this often, and gives up after the other time without one. */
const progressMs = 3_000;
const silenceMs = 10_000;

/** Yields the changes of one watch. Throws when it ends, for any reason. */
export async function* changesOf(responses: AsyncIterable<WatchResponse>): AsyncGenerator<Changes, void, undefined> {
  const iterator = responses[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await within(iterator.next(), { ms: silenceMs, what: "a message of the watch" });
      if (next.done === true) throw new ServiceError("unavailable", "the member ended the watch");
      const response = next.value;
      if (response.canceled || response.compactRevision !== 0n) throw cancelled(response);
      const revision = response.header?.revision ?? 0n;
      if (response.created) yield { changes: [], revision };
      else if (response.events.length > 0) {
        yield { changes: response.events.flatMap(({ type, kv }) => changeOf(type, kv)), revision };
      }
    }
  } finally {
    // Not awaited: after silence a read still waits, and ends with the call's signal.
    void iterator.return?.().catch(() => {});
  }
}

function changeOf(type: Event_EventType, kv: KeyValue | undefined): readonly Change[] {
  if (kv === undefined) return [];
  if (type === Event_EventType.DELETE) return [{ deleted: Buffer.from(kv.key).toString() }];
  return [{ put: entryOf(kv) }];
}

function cancelled({ compactRevision, cancelReason }: WatchResponse): ServiceError {
  if (compactRevision !== 0n) {
    return new ServiceError("out_of_range", `the history before revision ${compactRevision} is compacted`);
  }
  if (cancelReason.includes("permission denied")) return new ServiceError("permission_denied", cancelReason);
  if (cancelReason.includes("auth token")) return new ServiceError("unauthenticated", cancelReason);
  return new ServiceError("unavailable", `the member cancelled the watch: ${cancelReason || "no reason given"}`);
}

/** Asks for a watch, and then for signs of life. Ends with the signal. */
export async function* watchRequests(create: WatchCreateRequest, signal: AbortSignal): AsyncIterable<WatchRequest> {
  yield { requestUnion: { $case: "createRequest", value: create } };
  try {
    for (;;) {
      await sleep(progressMs * (0.8 + 0.4 * Math.random()), { signal });
      yield { requestUnion: { $case: "progressRequest", value: {} } };
    }
  } catch {
    // The watch has ended.
  }
}

export function entryOf({ key, value, modRevision, lease }: KeyValue): Entry {
  return { key: Buffer.from(key).toString(), value, revision: modRevision, lease };
}
