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
 * Passes committed changes of all processes to the watchers of this one, until disposed. Resolves
 * once the server listens, so call it before the first watcher comes. Uses one connection. After a
 * reconnect all watchers read their orders again.
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
