import { type Config, type Source, watchConfig } from "@plumbline/config";
import type { Logger } from "@plumbline/telemetry";
import type { LiveSettings } from "./app.ts";
import type { GatewayConfig } from "./config.ts";

/** The settings that hold while the gateway runs: rates, limits, times of streams. The others hold from the start. */
export function liveSettings({ rateLimit, limits, streams }: Config<typeof GatewayConfig>): LiveSettings {
  const { perClient, global } = rateLimit;
  return { rateLimits: { perClient, global }, limits, streams };
}

/**
 * Follows the configuration until disposed: what may change changes with the file, at the next request. A file that is wrong
 * is reported, and the last good settings stay.
 */
export function followSettings(
  schema: typeof GatewayConfig,
  sources: readonly Source[],
  logger: Logger,
  apply: (settings: LiveSettings) => void,
): AsyncDisposable {
  const stop = new AbortController();
  const following = (async () => {
    for await (const { config, error } of watchConfig(schema, sources, stop.signal)) {
      if (error !== undefined) {
        logger.warn("settings refused: the last good ones stay", { problems: error.message });
        continue;
      }
      const settings = liveSettings(config);
      apply(settings);
      logger.info("settings in force", { rateLimit: settings.rateLimits, limits: settings.limits });
    }
  })().catch((error: unknown) => {
    if (!stop.signal.aborted) logger.error("settings are no longer followed", error);
  });
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await following;
    },
  };
}
