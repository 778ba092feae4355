import { applyLive, type Config, followConfig, listSettings, type Schema } from "@plumbline/config";
import type { Logger } from "@plumbline/telemetry";
import type { ServiceContext } from "./run-service.ts";

/** Settings that follow their sources until disposed. */
export interface LiveConfig<S extends Schema> extends AsyncDisposable {
  /** Returns the settings in force. Settings that are not live are as they were at the start. */
  readonly current: () => Config<S>;
}

/**
 * Applies changes of live settings without a restart. A change that is wrong is logged, and the
 * last valid settings stay. A changed setting that is not live is logged: it needs a restart.
 */
export async function followLiveSettings<S extends Schema>(
  schema: S,
  running: Config<S>,
  { sources }: Pick<ServiceContext, "sources">,
  logger: Logger,
): Promise<LiveConfig<S>> {
  let current = running;
  const keys = listSettings(schema, "").flatMap(({ key, live, secret }) => (live && !secret ? [key] : []));
  const following = await followConfig(schema, sources, {
    onChange(changed) {
      const { config, needRestart } = applyLive(schema, running, changed);
      if (config !== current) logger.info("settings changed", { settings: pick(config, keys) });
      if (needRestart.length > 0) logger.warn("changed settings need a restart", { settings: needRestart });
      current = config;
    },
    onRefused: ({ message }) =>
      logger.warn("changed settings are invalid; keeping the last valid ones", { problems: message }),
    onFailure: (error) => logger.error("settings are no longer followed; restart to apply changes", error),
  });
  return { current: () => current, [Symbol.asyncDispose]: () => following[Symbol.asyncDispose]() };
}

function pick(config: unknown, keys: readonly string[]): Readonly<Record<string, unknown>> {
  const valueOf = (key: string): unknown =>
    key.split(".").reduce((section, name) => (section as Record<string, unknown> | undefined)?.[name], config);
  return Object.fromEntries(keys.map((key) => [key, valueOf(key)]));
}
