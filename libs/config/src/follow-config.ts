import { background } from "@plumbline/concurrency";
import type { ConfigError } from "./config-error.ts";
import type { Config } from "./load-config.ts";
import type { Schema } from "./settings.ts";
import type { Source } from "./source.ts";
import { watchConfig } from "./watch-config.ts";

export interface FollowOptions<S extends Schema> {
  /** Called with the first configuration, and with each one that differs from the last. */
  readonly onChange: (config: Config<S>) => void;
  /** Called with the problems of an invalid change. The last good configuration stays. */
  readonly onRefused: (error: ConfigError) => void;
  /** Called when the sources can no longer be watched. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * Loads the configuration and follows its sources until disposed. Resolves after the first
 * `onChange`. Rejects with a ConfigError if the first configuration is invalid.
 */
export async function followConfig<S extends Schema>(
  schema: S,
  sources: readonly Source[],
  { onChange, onRefused, onFailure }: FollowOptions<S>,
): Promise<AsyncDisposable> {
  const opened = Promise.withResolvers<void>();
  let isOpen = false;
  async function follow(signal: AbortSignal): Promise<void> {
    for await (const { config, error } of watchConfig(schema, sources, signal)) {
      if (error === undefined) onChange(config);
      else if (isOpen) onRefused(error);
      else throw error;
      isOpen = true;
      opened.resolve();
    }
  }
  const following = background(follow, {
    onFailure: (error) => (isOpen ? onFailure(error) : opened.reject(error)),
  });
  await opened.promise;
  return following;
}
