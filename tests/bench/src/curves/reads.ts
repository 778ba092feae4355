import { OrdersService } from "@plumbline/contracts";
import { type Client, connect, createClient } from "@plumbline/rpc";
import { noTelemetry } from "@plumbline/telemetry";
import { median } from "../compare.ts";
import { at } from "../markdown.ts";
import type { System } from "../orders/systems.ts";
import { crowded, type Stores, someCustomer } from "./fill.ts";

/** Times of one kind of read in ms. */
export interface Times {
  readonly median: number;
  readonly p95: number;
}

export interface Reads {
  /** The orders of a customer with few. */
  readonly list: Times;
  /** 100 orders of the crowded customer, from the newest on, and its oldest 100. */
  readonly firstPage: Times;
  readonly lastPage: Times;
  /** From the call until the order's present state is there. */
  readonly watch: Times;
}

const pageSize = 100;
const reads = 200;
const timeoutMs = 10_000;

/** Reads orders of a system, one call at a time. */
export class Reader implements AsyncDisposable {
  readonly #client: Client<typeof OrdersService>;
  readonly #resources: AsyncDisposableStack;

  private constructor(client: Client<typeof OrdersService>, resources: AsyncDisposableStack) {
    this.#client = client;
    this.#resources = resources;
  }

  static async open(system: System): Promise<Reader> {
    await using stack = new AsyncDisposableStack();
    const channel = stack.use(await connect(`ipv4:127.0.0.1:${system.rpcPort}`, noTelemetry, { transport: "http2" }));
    return new Reader(createClient(OrdersService, channel), stack.move());
  }

  async measure(stores: Stores): Promise<Reads> {
    const customerId = await someCustomer(stores);
    const last = await this.#tokenOfLastPage();
    const { orders } = await this.#list(customerId);
    const orderId = orders[0]?.id ?? "";
    return {
      list: await times(() => this.#list(customerId)),
      firstPage: await times(() => this.#list(crowded.customerId)),
      lastPage: await times(() => this.#list(crowded.customerId, last)),
      watch: await times(() => this.#watch(orderId)),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }

  async #list(customerId: string, pageToken = "") {
    return await this.#client.listOrders({ customerId, pageSize, pageToken }, { timeoutMs });
  }

  async #watch(orderId: string): Promise<void> {
    for await (const _ of this.#client.watchOrder({ orderId, afterVersion: 0n }, { timeoutMs })) return;
    throw new Error(`the watch of order ${orderId} ended without its state`);
  }

  async #tokenOfLastPage(): Promise<string> {
    let token = "";
    let seen = 0;
    for (;;) {
      const { orders, nextPageToken } = await this.#list(crowded.customerId, token);
      seen += orders.length;
      if (nextPageToken === "") break;
      token = nextPageToken;
    }
    if (seen < crowded.orders) throw new Error(`${seen} orders were listed, expected ${crowded.orders}`);
    return token;
  }
}

/** Returns the times of `call`, made one after the other. */
async function times(call: () => Promise<unknown>): Promise<Times> {
  const took: number[] = [];
  for (let n = 0; n < reads; n++) {
    const start = performance.now();
    await call();
    took.push(performance.now() - start);
  }
  took.sort((a, b) => a - b);
  return { median: median(took), p95: at(took, 0.95) };
}
