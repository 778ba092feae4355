import { fetchAs } from "@plumbline/tools-stack/identity";
import type { Balancer } from "./balancer.ts";
import { type LoadResult, type Request, steadyLoad } from "./steady-load.ts";

const requestMs = 10_000;

/**
 * A load on the public API at a fixed rate, through the ready gateways: orders placed, read and
 * listed, greetings.
 */
export class ApiLoad {
  readonly customerId = `load-${crypto.randomUUID()}`;
  /** Ids of the accepted orders, which must not be lost. */
  readonly accepted: string[] = [];
  /** The responses of each gateway so far, by its address. */
  readonly answered = new Map<string, number>();
  readonly #balancer: Balancer;

  constructor(balancer: Balancer) {
    this.#balancer = balancer;
  }

  run(perSecond: number, signal: AbortSignal): Promise<LoadResult> {
    return steadyLoad(perSecond, this.#send, signal);
  }

  readonly #send: Request = async (index) => {
    const gateway = this.#balancer.pick();
    if (gateway === undefined) return "no gateway is ready";
    const problem = await this.#ask(gateway, index);
    if (problem === undefined) this.answered.set(gateway, (this.answered.get(gateway) ?? 0) + 1);
    return problem;
  };

  #ask(gateway: string, index: number): Promise<string | undefined> {
    const known = this.accepted[Math.floor(Math.random() * this.accepted.length)];
    if (index % 4 === 0) return this.#place(gateway);
    if (index % 4 === 1 && known !== undefined) return read(`${gateway}/v1/orders/${known}`);
    if (index % 4 === 2) return read(`${gateway}/v1/orders?customerId=${this.customerId}&pageSize=5`);
    return read(`${gateway}/v1/greetings/steady`);
  }

  async #place(gateway: string): Promise<string | undefined> {
    const response = await fetchAs(`${gateway}/v1/orders`, {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": crypto.randomUUID() },
      body: JSON.stringify({ customerId: this.customerId, items: [{ sku: "tea", quantity: 1 }] }),
      signal: AbortSignal.timeout(requestMs),
    });
    if (!response.ok) return `POST ${response.status} ${await response.text()}`;
    this.accepted.push(((await response.json()) as { id: string }).id);
    return undefined;
  }
}

async function read(url: string): Promise<string | undefined> {
  const response = await fetchAs(url, { signal: AbortSignal.timeout(requestMs) });
  const body = await response.text();
  return response.ok ? undefined : `GET ${url} ${response.status} ${body}`;
}
