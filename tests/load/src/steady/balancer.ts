import { sleep } from "@plumbline/concurrency";

const checkMs = 100;
const answerMs = 1_000;
const firstMs = 30_000;

/**
 * A minimal load balancer for the gateways: it requests /readyz from each every 100 ms, and chooses
 * the ready ones in turn. It never retries a request.
 */
export class Balancer {
  readonly #ready = new Map<string, boolean>();
  #turn = 0;

  constructor(gateways: readonly string[]) {
    this.put(gateways);
  }

  /** Replaces the gateways. A new one gets no request until it is ready. */
  put(gateways: readonly string[]): void {
    for (const known of this.#ready.keys()) if (!gateways.includes(known)) this.#ready.delete(known);
    for (const gateway of gateways) if (!this.#ready.has(gateway)) this.#ready.set(gateway, false);
  }

  /** Returns the next ready gateway, or undefined if there is none. */
  pick(): string | undefined {
    const ready = [...this.#ready].filter(([, isReady]) => isReady).map(([gateway]) => gateway);
    return ready[this.#turn++ % ready.length];
  }

  /** Resolves when one is ready. Rejects if none is within `ms`, by default 30 s. */
  async ready(ms = firstMs): Promise<void> {
    const until = performance.now() + ms;
    while (![...this.#ready.values()].includes(true)) {
      if (performance.now() > until) {
        throw new Error(
          `no gateway of ${[...this.#ready.keys()].join(", ") || "none"} said within ${ms} ms that it is ready`,
        );
      }
      await sleep(checkMs);
    }
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await Promise.all(
        [...this.#ready.keys()].map(async (gateway) => {
          const isReady = await says(gateway);
          if (isReady !== undefined && this.#ready.has(gateway)) this.#ready.set(gateway, isReady);
        }),
      );
      await sleep(checkMs, { signal }).catch(() => undefined);
    }
  }
}

/** Returns undefined after a timeout: slow does not mean not ready. */
async function says(gateway: string): Promise<boolean | undefined> {
  try {
    const response = await fetch(`${gateway}/readyz`, { signal: AbortSignal.timeout(answerMs) });
    await response.body?.cancel();
    return response.ok;
  } catch (error) {
    return error instanceof Error && error.name === "TimeoutError" ? undefined : false;
  }
}
