import { background, Event, fullJitter, sleep } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import type { Address } from "./address.ts";
import type { Resolver, ResolverTarget } from "./resolver.ts";

export interface AddressListener {
  /** Receives the addresses in use. Called only when they have changed. */
  changed(addresses: readonly Address[]): void;
  /** Receives the failure of the source. The last addresses stay in use. */
  failed?(error: unknown): void;
  /** Called when the source answers again after a failure. */
  recovered?(): void;
}

/** The time after which an empty list counts although the source has said it only once. */
const emptyMs = 5_000;
/** The pause before a failed source is asked again: 100 ms, and a jitter of up to 5 s. */
const pauseMs = 100;
const backoff = { baseMs: 200, maxMs: 5_000 };
/** The most addresses in use. If there are more, the first in order are used. */
const maxAddresses = 1_000;

/**
 * The addresses behind a name, under the rules that hold for every resolver. The last list that was
 * not empty stays when the source fails, and the source is asked again with backoff. An empty list
 * counts when the source says it twice, or once and nothing else for 5 s. Neither order nor
 * repetition is a change. More than 1,000 addresses are cut.
 */
export class AddressWatch implements AsyncDisposable {
  readonly #resolver: Resolver;
  readonly #target: ResolverTarget;
  readonly #listener: AddressListener;
  readonly #lost = new Event();
  #running: AsyncDisposable | undefined;
  #isDisposed = false;
  /** The addresses in use in one order, to tell changes; undefined before the first list. */
  #used: string | undefined;
  #empty: NodeJS.Timeout | undefined;
  #hasFailed = false;

  constructor(resolver: Resolver, target: ResolverTarget, listener: AddressListener) {
    this.#resolver = resolver;
    this.#target = target;
    this.#listener = listener;
  }

  /** Starts the watch, once. */
  start(): void {
    if (this.#isDisposed) return;
    this.#running ??= background((signal) => this.#run(signal));
  }

  /** Says that a connection to one of the addresses was lost or failed. */
  lost(): void {
    this.#lost.set();
  }

  /** Ends the watch, and resolves when the resolver has ended. No listener is called after that. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true;
    this.#forgetEmpty();
    await this.#running?.[Symbol.asyncDispose]();
  }

  async #run(signal: AbortSignal): Promise<void> {
    for (let failures = 0; ; ) {
      const startedAt = performance.now();
      let failure: unknown = new ServiceError("unavailable", "the resolver has ended its watch");
      try {
        for await (const addresses of this.#resolver.watch(this.#target, signal, this.#lost)) {
          if (signal.aborted) return;
          this.#take(addresses);
        }
      } catch (error) {
        failure = error;
      }
      if (signal.aborted) return;
      // A source that says "none" when it starts must not be believed because it started twice.
      this.#forgetEmpty();
      this.#hasFailed = true;
      this.#listener.failed?.(failure);
      failures = performance.now() - startedAt > backoff.maxMs ? 1 : failures + 1;
      await sleep(pauseMs + fullJitter(failures, backoff), { signal });
    }
  }

  #take(addresses: readonly Address[]): void {
    if (this.#hasFailed) {
      this.#hasFailed = false;
      this.#listener.recovered?.();
    }
    const saidEmptyBefore = this.#empty !== undefined;
    this.#forgetEmpty();
    const isDoubtful = addresses.length === 0 && !saidEmptyBefore && this.#used !== undefined && this.#used !== "";
    if (!isDoubtful) return this.#use(addresses);
    this.#empty = setTimeout(() => {
      this.#empty = undefined;
      this.#use([]);
    }, emptyMs);
  }

  #use(addresses: readonly Address[]): void {
    const byKey = new Map(addresses.map((address) => [`${address.host} ${address.port}`, address]));
    const keys = [...byKey.keys()].toSorted().slice(0, maxAddresses);
    const used = keys.join("\n");
    if (used === this.#used) return;
    this.#used = used;
    this.#listener.changed(keys.flatMap((key) => byKey.get(key) ?? []));
  }

  #forgetEmpty(): void {
    clearTimeout(this.#empty);
    this.#empty = undefined;
  }
}
