import { sleep } from "@plumbline/concurrency";

const checkMs = 100;
const answerMs = 1_000;
const firstMs = 30_000;

/**
 * What a load balancer in front of the gateways does, and no more: it asks each for /readyz every 100 ms and picks those
 * that said yes last, in turn. It never sends a request again.
 */
export class Balancer {
  readonly #ready = new Map<string, boolean>();
  #turn = 0;

  constructor(gateways: readonly string[]) {
    this.put(gateways);
  }

  /** The gateways from now on; one that is new gets nothing until it said that it is ready. */
  put(gateways: readonly string[]): void {
    for (const known of this.#ready.keys()) if (!gateways.includes(known)) this.#ready.delete(known);
    for (const gateway of gateways) if (!this.#ready.has(gateway)) this.#ready.set(gateway, false);
  }

  /** The next of those that are ready; undefined when none is. */
  pick(): string | undefined {
    const ready = [...this.#ready].filter(([, isReady]) => isReady).map(([gateway]) => gateway);
    return ready[this.#turn++ % ready.length];
  }

  /** Resolves when one has said that it is ready; rejects when none has within `ms`, 30 s when not given. */
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

/** Undefined when it took too long: slow is not no. */
async function says(gateway: string): Promise<boolean | undefined> {
  try {
    const response = await fetch(`${gateway}/readyz`, { signal: AbortSignal.timeout(answerMs) });
    await response.body?.cancel();
    return response.ok;
  } catch (error) {
    return error instanceof Error && error.name === "TimeoutError" ? undefined : false;
  }
}
