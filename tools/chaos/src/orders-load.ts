import type { Balancer } from "./balancer.ts";
import { type LoadResult, type Request, steadyLoad } from "./steady-load.ts";

const requestMs = 10_000;

/** Orders placed and read at a fixed rate through whichever gateway is ready. */
export class OrdersLoad {
  readonly customerId = `chaos-${crypto.randomUUID()}`;
  /** Ids of the orders a gateway answered for: accepted, and not to be lost. */
  readonly accepted: string[] = [];
  readonly #balancer: Balancer;

  constructor(balancer: Balancer) {
    this.#balancer = balancer;
  }

  run(perSecond: number, signal: AbortSignal): Promise<LoadResult> {
    return steadyLoad(perSecond, (index) => this.#send(index), signal);
  }

  /** Each second request places an order, the others read one that was placed. */
  readonly #send: Request = async (index) => {
    const gateway = this.#balancer.pick();
    if (gateway === undefined) return "no gateway is ready";
    const known = this.accepted[Math.floor(Math.random() * this.accepted.length)];
    return index % 2 === 0 || known === undefined ? await this.#place(gateway) : await this.#read(gateway, known);
  };

  async #place(gateway: string): Promise<string | undefined> {
    const response = await fetch(`${gateway}/v1/orders`, {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": crypto.randomUUID() },
      body: JSON.stringify({ customerId: this.customerId, items: [{ sku: "tea", quantity: 1 }] }),
      signal: AbortSignal.timeout(requestMs),
    });
    if (!response.ok) return `POST ${response.status} ${await response.text()}`;
    this.accepted.push(((await response.json()) as { id: string }).id);
    return undefined;
  }

  async #read(gateway: string, id: string): Promise<string | undefined> {
    const response = await fetch(`${gateway}/v1/orders/${id}`, { signal: AbortSignal.timeout(requestMs) });
    const body = await response.text();
    return response.ok ? undefined : `GET ${response.status} ${body}`;
  }
}
