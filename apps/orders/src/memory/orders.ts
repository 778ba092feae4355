import { Semaphore } from "@plumbline/concurrency";
import { asPlaced, costOf, type Order } from "../domain/order.ts";
import { timeOf } from "../domain/order-id.ts";
import {
  type Abortable,
  type AddOptions,
  type Decide,
  IdempotencyKeyReusedError,
  type Inbox,
  type OrderEvent,
  OrderNotFoundError,
  type Orders,
  type OrdersFound,
  type OrdersQuery,
  type Owned,
  type Pending,
} from "../use-cases/ports.ts";

const cancelledCountsMs = 60_000;

export interface MemoryOptions {
  /** Called with each changed order once the change is committed. */
  readonly onChange?: ((order: Order) => void) | undefined;
  /** Called with the events of a transaction once it is committed. */
  readonly publish?: ((events: readonly OrderEvent[]) => void) | undefined;
}

/** The ports over Maps, for tests. One transaction runs at a time. Nothing is ever removed. */
export class MemoryOrders implements Orders, Inbox {
  readonly #oneAtATime = new Semaphore(1);
  readonly #options: MemoryOptions;
  readonly #orders = new Map<string, Order>();
  readonly #keys = new Map<string, { readonly bodyHash: Uint8Array; readonly orderId: string }>();
  readonly #handled = new Set<string>();
  readonly #shareKeys = new Map<string, string>();

  constructor(options: MemoryOptions = {}) {
    this.#options = options;
  }

  async find(id: string, { owner, signal }: Owned = {}): Promise<Order | undefined> {
    signal?.throwIfAborted();
    const order = this.#orders.get(id);
    return isOf(order, owner) ? order : undefined;
  }

  async list({ customerId, before, limit, maxBytes }: OrdersQuery, { signal }: Abortable = {}): Promise<OrdersFound> {
    signal?.throwIfAborted();
    const all = [...this.#orders.values()]
      .filter((order) => order.customerId === customerId && (before === undefined || order.id < before))
      .sort((a, b) => (a.id < b.id ? 1 : -1));
    const orders: Order[] = [];
    for (let octets = 0; orders.length < Math.min(limit, all.length) && octets < maxBytes; ) {
      const order = all[orders.length] as Order;
      octets += Buffer.byteLength(JSON.stringify(order.items));
      orders.push(order);
    }
    return { orders, more: all.length > orders.length };
  }

  async add(
    order: Order,
    events: readonly OrderEvent[],
    { signal, idempotencyKey, shareKey = "", admit, lookBack = 0 }: AddOptions = {},
  ): Promise<Order> {
    using _ = await this.#oneAtATime.acquire({ signal });
    const name = JSON.stringify([order.customerId, idempotencyKey?.key]);
    const used = idempotencyKey && this.#keys.get(name);
    if (idempotencyKey && used) {
      if (!Buffer.from(used.bodyHash).equals(idempotencyKey.bodyHash)) {
        throw new IdempotencyKeyReusedError("the idempotency key was used for another request");
      }
      return asPlaced(this.#orders.get(used.orderId) as Order);
    }
    admit?.({
      ofClient: this.#pendingOf((_, key) => shareKey !== "" && key === shareKey),
      inAll: this.#pendingOf(() => true),
      nthLastMs: this.#nthLastMs(order.customerId, lookBack),
    });
    this.#shareKeys.set(order.id, shareKey);
    if (idempotencyKey) this.#keys.set(name, { bodyHash: idempotencyKey.bodyHash, orderId: order.id });
    this.#commit(new Map([[order.id, order]]), events);
    return order;
  }

  async change(id: string, decide: Decide, { owner, signal }: Owned = {}): Promise<Order> {
    using _ = await this.#oneAtATime.acquire({ signal });
    return this.#change(id, decide, owner);
  }

  async changeOnce(
    message: { readonly id: string; readonly source: string },
    id: string,
    decide: Decide,
    { signal }: Abortable = {},
  ): Promise<void> {
    using _ = await this.#oneAtATime.acquire({ signal });
    const name = JSON.stringify([message.source, message.id]);
    if (this.#handled.has(name)) return;
    this.#change(id, decide);
    this.#handled.add(name);
  }

  #change(id: string, decide: Decide, owner?: string): Order {
    const order = this.#orders.get(id);
    if (order === undefined || !isOf(order, owner)) throw new OrderNotFoundError("there is no such order");
    const next = decide(order);
    if (next.order !== order) this.#commit(new Map([[id, next.order]]), next.events);
    return next.order;
  }

  #nthLastMs(customerId: string, nth: number): number | undefined {
    if (nth === 0) return undefined;
    const ids = [...this.#orders.values()].filter((order) => order.customerId === customerId).map(({ id }) => id);
    const id = ids.toSorted().at(-nth);
    return id && timeOf(id);
  }

  #pendingOf(counts: (order: Order, shareKey: string) => boolean): Pending {
    const since = Date.now() - cancelledCountsMs;
    const pending = [...this.#orders.values()].filter(
      (order) =>
        (order.status === "pending" || (order.status === "cancelled" && order.updateTime.getTime() > since)) &&
        counts(order, this.#shareKeys.get(order.id) ?? ""),
    );
    return { orders: pending.length, cost: pending.reduce((sum, order) => sum + costOf(order), 0) };
  }

  #commit(changed: ReadonlyMap<string, Order>, events: readonly OrderEvent[]): void {
    for (const [id, order] of changed) this.#orders.set(id, order);
    this.#options.publish?.(events);
    for (const order of changed.values()) this.#options.onChange?.(order);
  }
}

function isOf(order: Order | undefined, owner: string | undefined): boolean {
  return owner === undefined || order?.customerId === owner;
}
