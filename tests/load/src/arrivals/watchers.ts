import { setTimeout as pause } from "node:timers/promises";
import { sleep } from "@plumbline/concurrency";
import type { Authorization } from "@plumbline/tools-stack/identity";
import type { Client } from "./client.ts";

/** The longest from the start of a watch until it has seen the end of its order. */
const endMs = 60_000;
const betweenMs = 3_000;
const retryMs = 500;

export interface WatchReport {
  /** Watches that began, and those that saw the end of their order. */
  readonly begun: number;
  readonly ended: number;
  /** Streams that the gateway ended with a request to reconnect, and those that broke. */
  readonly reconnected: number;
  readonly broken: number;
  /** Orders that could not be placed. */
  readonly unplaced: number;
  /** The faults: those orders, streams that were refused, no end in 60 s. */
  readonly failures: readonly Failure[];
}

/** A fault with the time of its request. */
export interface Failure {
  readonly at: string;
  readonly problem: string;
}

/**
 * Watchers of orders that behave like an EventSource: they continue a stream that ends early from
 * its last id. Each places an order, watches it to its end, and begins again.
 */
export class Watchers {
  readonly #client: Client;
  readonly #place: () => Promise<string>;
  readonly #authorization: () => Promise<Authorization>;
  #begun = 0;
  #ended = 0;
  #reconnected = 0;
  #broken = 0;
  #unplaced = 0;
  readonly #failures: Failure[] = [];

  /** `place` places an order and returns its id. `authorization` says who watches. */
  constructor(client: Client, place: () => Promise<string>, authorization: () => Promise<Authorization>) {
    this.#client = client;
    this.#place = place;
    this.#authorization = authorization;
  }

  get report(): WatchReport {
    return {
      begun: this.#begun,
      ended: this.#ended,
      reconnected: this.#reconnected,
      broken: this.#broken,
      unplaced: this.#unplaced,
      failures: this.#failures,
    };
  }

  /** Runs watchers until the signal aborts. Then each sees its order to the end. */
  async run(count: number, signal: AbortSignal): Promise<void> {
    await Promise.all(
      Array.from({ length: count }, async (_, index) => {
        await sleep((betweenMs * index) / count, { signal }).catch(() => undefined);
        while (!signal.aborted) {
          await this.#one();
          await sleep(betweenMs, { signal }).catch(() => undefined);
        }
      }),
    );
  }

  async #one(): Promise<void> {
    const at = new Date().toISOString();
    const failed = (error: unknown) =>
      this.#failures.push({ at, problem: error instanceof Error ? error.message : String(error) });
    const id = await this.#place().catch((error: unknown) => {
      this.#unplaced += 1;
      failed(error);
    });
    if (id === undefined) return;
    this.#begun += 1;
    try {
      await this.#watch(id);
      this.#ended += 1;
    } catch (error) {
      failed(error);
    }
  }

  async #watch(order: string): Promise<void> {
    const limit = AbortSignal.timeout(endMs);
    let lastId: string | undefined;
    for (;;) {
      if (limit.aborted) throw new Error(`order ${order} did not end within ${endMs} ms`);
      const end = await this.#stream(order, lastId, limit);
      if (end.isOver) return;
      lastId = end.lastId ?? lastId;
      await pause(end.retryMs);
    }
  }

  /** Reads one stream. A broken one is continued, a refused one is a fault. */
  async #stream(order: string, lastId: string | undefined, limit: AbortSignal) {
    const resumed = lastId !== undefined && { "last-event-id": lastId };
    let last: string | undefined;
    let retry = retryMs;
    try {
      const headers = { accept: "text/event-stream", ...resumed, ...(await this.#authorization()) };
      const response = await this.#client.open({ path: `/v1/orders/${order}:watch`, headers, keepAlive: false }, limit);
      const { statusCode: status = 0 } = response;
      if (status === 204) return { isOver: true, lastId: last, retryMs: retry };
      let text = "";
      for await (const chunk of response.setEncoding("utf8")) {
        text += chunk as string;
        if (status !== 200) continue;
        const lines = text.split("\n");
        text = lines.pop() ?? "";
        for (const line of lines) {
          if (line === "event: end") return { isOver: true, lastId: last, retryMs: retry };
          if (line.startsWith("id: ")) last = line.slice(4);
          if (line.startsWith("retry: ")) retry = Number(line.slice(7));
        }
      }
      if (status !== 200) throw new Refused(`the stream of ${order} was refused: ${status} ${text.slice(0, 200)}`);
      this.#reconnected += 1;
    } catch (error) {
      if (error instanceof Refused) throw error;
      this.#broken += 1;
    }
    return { isOver: false, lastId: last, retryMs: retry };
  }
}

class Refused extends Error {
  override readonly name = "Refused";
}
