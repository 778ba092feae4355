import { deadline, retry } from "@plumbline/concurrency";
import { fetchAs } from "@plumbline/tools-stack/identity";

export interface Item {
  readonly sku: string;
  readonly quantity: number;
}

/** An order in the gateway's JSON. */
export interface Order {
  readonly id: string;
  readonly customerId: string;
  readonly items: readonly Item[];
  readonly status: string;
  readonly rejectionReason: string;
  readonly version: string;
  readonly createTime: string;
  readonly updateTime: string;
}

const requestMs = 10_000;
/**
 * The time for retries of a call: longer than the restart of a killed engine. The idempotency key
 * makes retries safe.
 */
const patienceMs = 90_000;
const retries = { attempts: 1_000, baseMs: 100, maxMs: 2_000, retryable: () => true };

/**
 * A careful client of the public API: each request has a deadline, and each retry of an order the
 * same key. It acts as operators, for any customer.
 */
export class Api {
  readonly #base: string;

  constructor(base: string) {
    this.#base = base;
  }

  /** Places an order once, with retries if necessary. */
  place(customerId: string, items: readonly Item[], key: string): Promise<Order> {
    return this.#request<Order>("/v1/orders", {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": key },
      body: JSON.stringify({ customerId, items }),
    });
  }

  /** Returns every order of a customer, page by page. */
  async list(customerId: string): Promise<Order[]> {
    const orders: Order[] = [];
    for (let pageToken = ""; ; ) {
      const query = new URLSearchParams({ customerId, pageSize: "100", ...(pageToken === "" ? {} : { pageToken }) });
      const page = await this.#request<{ orders: Order[]; nextPageToken: string }>(`/v1/orders?${query}`);
      orders.push(...page.orders);
      if (page.nextPageToken === "") return orders;
      pageToken = page.nextPageToken;
    }
  }

  /** Returns true if the order has a label: a PNG picture. */
  async hasLabel(id: string): Promise<boolean> {
    const response = await this.#send(`/v1/orders/${id}/label`);
    await response.body?.cancel();
    return response.ok && response.headers.get("content-type") === "image/png";
  }

  async #request<T>(path: string, init?: RequestInit): Promise<T> {
    const response = await this.#send(path, init);
    const body = await response.text();
    if (!response.ok) throw new Error(`${init?.method ?? "GET"} ${path}: ${response.status} ${body}`);
    return JSON.parse(body) as T;
  }

  /**
   * Retries after a transient failure: no connection, 429, 502, 503, 504. Returns any other
   * response.
   */
  async #send(path: string, init?: RequestInit): Promise<Response> {
    using limit = deadline(patienceMs);
    return await retry(
      async () => {
        const response = await fetchAs(this.#base + path, { ...init, signal: AbortSignal.timeout(requestMs) });
        if (![429, 502, 503, 504].includes(response.status)) return response;
        throw new Error(`${init?.method ?? "GET"} ${path}: ${response.status} ${await response.text()}`);
      },
      { ...retries, signal: limit.signal },
    );
  }
}
