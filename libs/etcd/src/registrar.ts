import { background, deadline, deadlineOf, fullJitter, retry, sleep } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import type { Registrar, Registration } from "@plumbline/rpc/discovery";
import type { Etcd } from "./etcd.ts";
import { instancesOf, usualPrefix, valueOf } from "./registration-key.ts";

export interface EtcdRegistrarOptions {
  /** The start of all keys; "plumbline/services/" if not given. */
  readonly prefix?: string | undefined;
  /** A server that is not renewed for this long is removed; 10 s if not given. */
  readonly ttlSeconds?: number | undefined;
  /** Receives each failure to renew or remove a registration. */
  readonly onFault?: ((error: unknown) => void) | undefined;
  /** Called when a registration was lost, and is there again. */
  readonly onRenewed?: ((registration: Registration) => void) | undefined;
}

const usualTtlSeconds = 10;
/** The longest time of the first registration without a deadline. */
const registerMs = 10_000;
/** The longest time of a removal. */
const removeMs = 3_000;
const backoff = { baseMs: 200, maxMs: 1_000 };

/**
 * Returns a registrar that writes one key per server, with a lease. The lease is renewed three
 * times in its life, and the key is verified then. When either is lost it is made again. While etcd
 * is away that is tried about twice a second, with jitter.
 */
export function etcdRegistrar(etcd: Etcd, options: EtcdRegistrarOptions = {}): Registrar {
  return {
    async register(registration, { signal } = {}) {
      using limit = deadline(deadlineOf(signal) === undefined ? registerMs : Number.POSITIVE_INFINITY, { signal });
      const place = new Place(etcd, registration, options);
      try {
        const attempts = Number.MAX_SAFE_INTEGER;
        await retry(() => place.keep(limit.signal), { ...backoff, attempts, signal: limit.signal });
      } catch (error) {
        if (signal?.aborted && (signal.reason as Error | undefined)?.name !== "TimeoutError") {
          await place.remove(); // A caller that stops may leave nothing behind.
          throw signal.reason;
        }
        void place.remove();
        const why = error instanceof Error ? error.message : String(error);
        const { service, id } = registration;
        throw new ServiceError("unavailable", `cannot register ${id} of ${service}: ${why}`, { cause: error });
      }
      const keeping = background((stop) => keepOn(place, options, stop), { onFailure: options.onFault });
      return {
        async [Symbol.asyncDispose]() {
          // First, so that it does not register again.
          await keeping[Symbol.asyncDispose]();
          await place.remove();
        },
      };
    },
  };
}

/** The key of one server and its lease. */
class Place {
  readonly ttlSeconds: number;
  readonly #etcd: Etcd;
  readonly #registration: Registration;
  readonly #options: EtcdRegistrarOptions;
  readonly #key: string;
  readonly #value: string;
  #lease: bigint | undefined;
  #wasRegistered = false;

  constructor(etcd: Etcd, registration: Registration, options: EtcdRegistrarOptions) {
    const { prefix = usualPrefix, ttlSeconds = usualTtlSeconds } = options;
    this.ttlSeconds = ttlSeconds;
    this.#etcd = etcd;
    this.#registration = registration;
    this.#options = options;
    this.#key = `${instancesOf(prefix, registration.service)}${encodeURIComponent(registration.id)}`;
    this.#value = valueOf(registration.address);
  }

  /** Renews the lease, and makes what is missing. */
  async keep(signal: AbortSignal): Promise<void> {
    if (this.#lease !== undefined && !(await this.#etcd.renew(this.#lease, { signal }))) this.#lease = undefined;
    if (this.#lease !== undefined && (await this.#isThere(this.#lease, signal))) return;
    this.#lease ??= await this.#etcd.grant(this.ttlSeconds, { signal });
    await this.#etcd.put(this.#key, this.#value, { lease: this.#lease, signal });
    if (this.#wasRegistered) this.#options.onRenewed?.(this.#registration);
    this.#wasRegistered = true;
  }

  /** Removes the key with its lease. Never rejects: etcd removes what is not renewed. */
  async remove(): Promise<void> {
    if (this.#lease === undefined) return;
    using limit = deadline(removeMs);
    const lease = this.#lease;
    try {
      const attempts = 3;
      await retry(() => this.#etcd.revoke(lease, limit), { ...backoff, attempts, signal: limit.signal });
    } catch (error) {
      this.#options.onFault?.(error);
    }
  }

  async #isThere(lease: bigint, signal: AbortSignal): Promise<boolean> {
    const { entries } = await this.#etcd.range({ key: this.#key }, { signal });
    const [found] = entries;
    return found?.lease === lease && Buffer.from(found.value).toString() === this.#value;
  }
}

async function keepOn(place: Place, { onFault }: EtcdRegistrarOptions, signal: AbortSignal): Promise<void> {
  const everyMs = (place.ttlSeconds * 1_000) / 3;
  for (let failures = 0; ; ) {
    await sleep(failures === 0 ? everyMs * (0.8 + 0.2 * Math.random()) : fullJitter(failures, backoff), { signal });
    try {
      await place.keep(signal);
      failures = 0;
    } catch (error) {
      signal.throwIfAborted();
      failures++;
      onFault?.(error);
    }
  }
}
