import { type Config, type Source, watchConfig } from "@plumbline/config";
import type { Logger } from "@plumbline/telemetry";
import type { LiveSettings } from "./app.ts";
import type { GatewayConfig } from "./config.ts";

/**
 * Returns the settings that may change while the gateway runs. All others are read at start only.
 */
export function liveSettings({ rateLimit, limits, streams }: Config<typeof GatewayConfig>): LiveSettings {
  const { perClient, global } = rateLimit;
  return { rateLimits: { perClient, global }, limits, streams };
}

/**
 * Follows the configuration until disposed. Changed settings apply from the next request on. An
 * invalid file is reported, and the last valid settings stay.
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
        logger.warn("changed settings are invalid; keeping the last valid ones", { problems: error.message });
        continue;
      }
      const settings = liveSettings(config);
      apply(settings);
      logger.info("settings changed", { rateLimit: settings.rateLimits, limits: settings.limits });
    }
  })().catch((error: unknown) => {
    if (!stop.signal.aborted) logger.error("settings are no longer followed; restart to apply changes", error);
  });
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await following;
    },
  };
}
