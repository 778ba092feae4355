import { type Abortable, derive, Event, type Scope } from "@plumbline/concurrency";
import { ConfigError } from "./config-error.ts";
import { isSame } from "./is-same.ts";
import { type Config, loadConfig } from "./load-config.ts";
import type { Schema } from "./settings.ts";
import type { Source } from "./source.ts";

/** A new configuration, or why there is none: then the last good one stays. */
export type Update<C> =
  | { readonly config: C; readonly error?: never }
  | { readonly error: ConfigError; readonly config?: never };

const quietMs = 100;
const longestSettleMs = 1_000;

/**
 * Yields the configuration now and each time it changes, until `signal` aborts. Changes in quick
 * succession are one. Each change is checked as a whole. An invalid one is yielded as an error,
 * once; one that changes nothing is not yielded. A slow reader gets the latest configuration, since
 * nothing queues up. Throws if a source can no longer be watched.
 */
export async function* watchConfig<S extends Schema>(
  schema: S,
  sources: readonly Source[],
  signal: AbortSignal,
): AsyncIterable<Update<Config<S>>> {
  using scope = derive({ signal }); // Ends the watchers with this loop, however it ends.
  const changed = new Event();
  const watchers = sources.map((source) => watch(source, changed, scope));
  try {
    let last: Update<Config<S>> | undefined;
    let good: Config<S> | undefined;
    while (!signal.aborted) {
      const update = await load(schema, sources, signal);
      const isNews = update.error
        ? update.error.message !== last?.error?.message
        : last?.error !== undefined || !isSame(update.config, good);
      if (isNews) {
        last = update;
        good = update.config ?? good;
        yield update;
      }
      await changed.wait(scope);
      await settle(changed, scope);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    scope.abort();
    await Promise.all(watchers);
  }
}

async function load<S extends Schema>(
  schema: S,
  sources: readonly Source[],
  signal: AbortSignal,
): Promise<Update<Config<S>>> {
  try {
    return { config: await loadConfig(schema, sources, { signal }) };
  } catch (error) {
    if (error instanceof ConfigError) return { error };
    throw error;
  }
}

async function watch(source: Source, changed: Event, scope: Scope): Promise<void> {
  try {
    for await (const _ of source.changes?.(scope.signal) ?? []) changed.set();
  } catch (error) {
    scope.abort(error); // Ends the loop with it.
  }
}

/**
 * Waits until nothing has changed for a moment, since a file is written in steps. Bounded, since it
 * may never rest.
 */
async function settle(changed: Event, { signal }: Abortable): Promise<void> {
  const end = performance.now() + longestSettleMs;
  while (performance.now() < end && (await changed.wait({ ms: quietMs, signal })));
}
