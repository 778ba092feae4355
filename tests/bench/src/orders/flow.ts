import { sleep } from "@plumbline/concurrency";
import { OrdersService } from "@plumbline/contracts";
import { type Database, openDatabase } from "@plumbline/postgres";
import { type Client, connect, createClient } from "@plumbline/rpc";
import { noTelemetry } from "@plumbline/telemetry";
import type { System } from "./systems.ts";

/**
 * The end of an order. Both kinds ask the supplier for a quote. A fulfilled order has a label
 * drawn, which takes milliseconds of CPU; a rejected one costs little more than rows and events.
 */
export type Ending = "fulfilled" | "rejected";

/**
 * The times of orders that were placed together, from the moment when each was due until its row
 * has a terminal status.
 */
export interface Flow {
  /** Orders a second, from the first that was placed to the last that ended. */
  readonly perSecond: number;
  /** From the due time to the end in ms, in ascending order. */
  readonly latencies: readonly number[];
}

const concurrency = 32;
const timeoutMs = 10_000;
/** The longest wait for the last order after the last was placed. */
const settleMs = 60_000;
const skus: Readonly<Record<Ending, string>> = { fulfilled: "tea", rejected: "unicorn" };

/** Places orders with a system and waits for them. The caller is the same for all systems. */
export class Customer implements AsyncDisposable {
  readonly #client: Client<typeof OrdersService>;
  readonly #database: Database;
  readonly #resources: AsyncDisposableStack;

  private constructor(client: Client<typeof OrdersService>, database: Database, resources: AsyncDisposableStack) {
    this.#client = client;
    this.#database = database;
    this.#resources = resources;
  }

  static async open(system: System): Promise<Customer> {
    await using stack = new AsyncDisposableStack();
    const target = `ipv4:127.0.0.1:${system.rpcPort}`;
    const channel = stack.use(await connect(target, noTelemetry, { transport: "http2" }));
    const url = system.databaseUrl;
    const database = stack.use(await openDatabase({ url, applicationName: "bench", poolSize: 1 }, noTelemetry));
    return new Customer(createClient(OrdersService, channel), database, stack.move());
  }

  /** Places orders as fast as they are accepted, with 32 concurrent calls. */
  async closed(ending: Ending, count: number): Promise<Flow> {
    return await this.#flow(ending, count, async (place) => {
      let placed = 0;
      const next = async (): Promise<void> => {
        while (placed++ < count) await place(performance.now());
      };
      await Promise.all(Array.from({ length: concurrency }, next));
    });
  }

  /** Places orders at a fixed rate, without waiting for earlier ones. */
  async atRate(ending: Ending, count: number, perSecond: number): Promise<Flow> {
    return await this.#flow(ending, count, async (place) => {
      const start = performance.now();
      const calls: Promise<void>[] = [];
      for (let n = 0; n < count; n++) {
        const due = start + (n * 1_000) / perSecond;
        const left = due - performance.now();
        if (left > 0) await sleep(left);
        calls.push(place(due));
      }
      await Promise.all(calls);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }

  async #flow(
    ending: Ending,
    count: number,
    run: (place: (due: number) => Promise<void>) => Promise<void>,
  ): Promise<Flow> {
    const items = [{ sku: skus[ending], quantity: 2 }];
    const customerId = `bench-${crypto.randomUUID()}`;
    const dues = new Map<string, number>();
    const start = performance.now();
    await run(async (due) => {
      const { id } = await this.#client.placeOrder({ customerId, items }, { timeoutMs });
      dues.set(id, due);
    });
    await this.#settled(customerId, count);
    const rows = await this.#database.query<{ id: string; status: string; update_time: Date }>(
      "select id, status, update_time from orders where customer_id = $1",
      [customerId],
    );
    const latencies = rows.map(({ id, status, update_time }) => {
      const due = dues.get(id);
      if (due === undefined) throw new Error(`order ${id} was not placed by us, or twice`);
      if (status !== ending) throw new Error(`order ${id} is ${status}, expected ${ending}`);
      return update_time.getTime() - performance.timeOrigin - due;
    });
    const last = Math.max(...rows.map((row) => row.update_time.getTime())) - performance.timeOrigin;
    return { perSecond: (count * 1_000) / (last - start), latencies: latencies.sort((a, b) => a - b) };
  }

  async #settled(customerId: string, count: number): Promise<void> {
    const giveUpAt = performance.now() + settleMs;
    const sql = "select count(*)::int as count from orders where customer_id = $1 and status <> 'pending'";
    for (;;) {
      const [row] = await this.#database.query<{ count: number }>(sql, [customerId]);
      if (row?.count === count) return;
      if (performance.now() > giveUpAt) throw new Error(`${row?.count} of ${count} orders ended in ${settleMs} ms`);
      await sleep(50);
    }
  }
}
