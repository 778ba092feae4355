import { ServiceError } from "@plumbline/errors";

/** The requests that one client may give up while they are answered. */
export interface HangUpLimits {
  readonly perSecond: number;
  readonly burst: number;
}

/** The clients remembered at once, about 100 bytes each. The oldest hang-up is forgotten first. */
const maxClients = 10_000;
/** The longest time that a client is refused after its last hang-up. */
const maxRefusedMs = 60_000;

/**
 * The hang-ups of clients. Each costs the service a call without a reader and a reset on the
 * connection that all clients share, so a client that hangs up too often is refused for a time.
 * Only clients that did are remembered.
 */
export class HangUps {
  readonly #limits: () => HangUpLimits;
  readonly #now: () => number;
  /** By client, the time at which its budget is whole again; the latest hang-up last. */
  readonly #wholeAt = new Map<string, number>();

  constructor(limits: () => HangUpLimits, now: () => number = () => performance.now()) {
    this.#limits = limits;
    this.#now = now;
  }

  get clients(): number {
    return this.#wholeAt.size;
  }

  /** Throws ServiceError OVERLOADED if the client has hung up too often. */
  check(client: string): void {
    if (this.#wholeAt.size === 0) return;
    const wholeAt = this.#wholeAt.get(client);
    if (wholeAt === undefined) return;
    const { perSecond, burst } = this.#limits();
    const leftMs = wholeAt - this.#now();
    if (leftMs <= 0) this.#wholeAt.delete(client);
    const waitMs = leftMs - ((burst - 1) * 1000) / perSecond;
    if (waitMs <= 0) return;
    throw new ServiceError(
      "resource_exhausted",
      "This client gave up too many requests. Wait for the time in Retry-After, then wait for each answer.",
      { reason: "OVERLOADED", retryAfterMs: waitMs },
    );
  }

  /** Records a hang-up. Many at once are all counted. */
  charge(client: string): void {
    const { perSecond, burst } = this.#limits();
    const now = this.#now();
    const wholeAt = Math.max(this.#wholeAt.get(client) ?? now, now) + 1000 / perSecond;
    this.#wholeAt.delete(client);
    this.#wholeAt.set(client, Math.min(wholeAt, now + (burst * 1000) / perSecond + maxRefusedMs));
    if (this.#wholeAt.size <= maxClients) return;
    const [oldest] = this.#wholeAt.keys();
    if (oldest !== undefined) this.#wholeAt.delete(oldest);
  }
}
