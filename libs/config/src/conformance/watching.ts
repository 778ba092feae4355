import assert from "node:assert/strict";
import { z } from "zod";
import type { ConfigError } from "../config-error.ts";
import type { Source } from "../source.ts";
import { watchConfig } from "../watch-config.ts";

/** The settings of the documents in the suite. */
export const schema = z.object({ rate: z.int().min(1).default(10), burst: z.int().default(1) });

type Seen = { readonly rate: number; readonly error?: never } | { readonly error: ConfigError; readonly rate?: never };

/** A watch of one source that keeps all updates in order. */
export interface Watching extends AsyncDisposable {
  readonly seen: readonly Seen[];
  /** The last good value. */
  readonly rate: number | undefined;
  /** Resolves once the last good value is `rate`. Rejects after `ms`. */
  until(rate: number, ms?: number): Promise<void>;
  /** Resolves with the next error that is not yet returned. Rejects after `ms`. */
  untilError(ms?: number): Promise<ConfigError>;
  /** Ends the watch, and resolves once it has ended. */
  stop(): Promise<void>;
}

const usualMs = 10_000;

export function watching(source: Source): Watching {
  const controller = new AbortController();
  const seen: Seen[] = [];
  let errors = 0;
  let wake = Promise.withResolvers<void>();
  let failure: { readonly error: unknown } | undefined;
  const rate = (): number | undefined => seen.findLast((update) => update.error === undefined)?.rate;
  const running = (async () => {
    try {
      for await (const { config, error } of watchConfig(schema, [source], controller.signal)) {
        seen.push(error === undefined ? { rate: config.rate } : { error });
        wake.resolve();
      }
    } catch (error) {
      failure = { error };
      wake.resolve();
    }
  })();

  async function until<T>(find: () => T | undefined, ms: number, what: string): Promise<T> {
    const end = performance.now() + ms;
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      if (failure) throw failure.error;
      const left = end - performance.now();
      assert.ok(left > 0, `not within ${ms} ms: ${what}; updates: ${textOf(seen)}`);
      wake = Promise.withResolvers<void>();
      const timer = setTimeout(wake.resolve, left);
      await wake.promise;
      clearTimeout(timer);
    }
  }
  const stop = async (): Promise<void> => {
    controller.abort();
    await running;
  };
  return {
    seen,
    get rate() {
      return rate();
    },
    async until(wanted, ms = usualMs) {
      await until(
        () => (rate() === wanted && seen.at(-1)?.error === undefined ? true : undefined),
        ms,
        `the value ${wanted}`,
      );
    },
    async untilError(ms = usualMs) {
      const error = await until(() => seen.filter((update) => update.error)[errors]?.error, ms, "an error");
      errors++;
      return error;
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function textOf(seen: readonly Seen[]): string {
  return seen.map(({ rate, error }) => rate ?? JSON.stringify(error?.message)).join(", ") || "none";
}
