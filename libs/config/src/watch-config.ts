import { isDeepStrictEqual } from "node:util";
import { derive, sleep } from "@plumbline/concurrency";
import { ConfigError } from "./config-error.ts";
import { Flag } from "./flag.ts";
import { type Config, loadConfig } from "./load-config.ts";
import { Secret } from "./secret.ts";
import type { Schema } from "./settings.ts";
import type { Source } from "./source.ts";

/** A new configuration, or why there is none: then the last good one stays. */
export type Update<C> =
  | { readonly config: C; readonly error?: never }
  | { readonly error: ConfigError; readonly config?: never };

const quietMs = 100;
const patienceMs = 1_000;

/**
 * The configuration now, and each time it changes, until `signal` aborts. Changes that come together are one. A change is
 * checked whole: one that is wrong is yielded as an error, once, and the last good configuration stays, as does one that
 * changes nothing. Ask again slowly and you get the latest: nothing queues up.
 */
export async function* watchConfig<S extends Schema>(
  schema: S,
  sources: readonly Source[],
  signal: AbortSignal,
): AsyncIterable<Update<Config<S>>> {
  using scope = derive({ signal }); // The watchers end with this loop, however it ends.
  const changed = new Flag(scope.signal);
  const watchers = sources.map((source) => raise(changed, source, scope.signal));
  try {
    let last: Update<Config<S>> | undefined;
    let good: Config<S> | undefined;
    while (!signal.aborted) {
      const update = await load(schema, sources, scope.signal);
      if (update === undefined) return;
      const isNews = update.error
        ? update.error.message !== last?.error?.message
        : last?.error !== undefined || !isSame(update.config, good);
      if (isNews) {
        last = update;
        good = update.config ?? good;
        yield update;
      }
      await changed.next();
      await settle(changed, scope.signal);
    }
  } finally {
    scope.abort();
    await Promise.all(watchers);
  }
}

async function load<S extends Schema>(
  schema: S,
  sources: readonly Source[],
  signal: AbortSignal,
): Promise<Update<Config<S>> | undefined> {
  try {
    return { config: await loadConfig(schema, sources, { signal }) };
  } catch (error) {
    if (error instanceof ConfigError) return { error };
    if (signal.aborted) return undefined;
    throw error;
  }
}

async function raise(flag: Flag, source: Source, signal: AbortSignal): Promise<void> {
  try {
    for await (const _ of source.changes?.(signal) ?? []) flag.raise();
  } catch (error) {
    if (!signal.aborted) flag.fail(error);
  }
}

/** Waits until nothing has changed for a moment: a file is written in steps. Not for ever: something may never rest. */
async function settle(changed: Flag, signal: AbortSignal): Promise<void> {
  const end = performance.now() + patienceMs;
  while (changed.lower() && performance.now() < end && !signal.aborted) {
    await sleep(quietMs, { signal }).catch(() => {});
  }
}

function isSame(a: unknown, b: unknown): boolean {
  return isDeepStrictEqual(revealed(a), revealed(b));
}

/** A copy in which secrets can be compared: on the outside they are all alike. */
function revealed(value: unknown): unknown {
  if (value instanceof Secret) return { secret: value.reveal() };
  if (Array.isArray(value)) return value.map(revealed);
  if (typeof value !== "object" || value === null || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, revealed(part)]));
}
