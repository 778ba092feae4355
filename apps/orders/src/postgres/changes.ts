import type { Database } from "@plumbline/postgres";
import { channel } from "./order-transaction.ts";

/** The watchers of this process, who learn of changes that any process committed. */
export interface Watchers {
  /** Reports that the order has this version, or by now a newer one. */
  announce(orderId: string, version: bigint, traceparent?: string): void;
  /** Reports that announcements may have been missed. */
  announceAll(): void;
}

/**
 * Passes on every committed change to the watchers of this process, whichever process made it. Resolves once the server
 * listens, so it comes before the first watcher. One connection, however many watch; when that was lost and is back,
 * everyone reads again. Disposing stops it.
 */
export async function followChanges(database: Pick<Database, "listen">, watchers: Watchers): Promise<AsyncDisposable> {
  const listener = await database.listen(channel);
  async function passOn(): Promise<void> {
    for await (const { payload, missed } of listener) {
      const change = /^(\S+) (\d+)(?: (\S+))?$/.exec(payload);
      if (missed || change === null) watchers.announceAll();
      else watchers.announce(change[1] as string, BigInt(change[2] as string), change[3]);
    }
  }
  const passing = passOn();
  return {
    async [Symbol.asyncDispose]() {
      await listener[Symbol.asyncDispose]();
      await passing;
    },
  };
}
