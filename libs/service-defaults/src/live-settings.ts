import type { Abortable } from "@plumbline/concurrency";
import {
  applyLive,
  type Config,
  ConfigError,
  followConfig,
  listSettings,
  loadConfig,
  type Schema,
} from "@plumbline/config";
import type { Logger } from "@plumbline/telemetry";
import type { ServiceContext } from "./run-service.ts";

/** Settings that follow their sources until disposed. */
export interface LiveConfig<S extends Schema> extends AsyncDisposable {
  /** Returns the settings in force. Settings that are not live are as they were at the start. */
  readonly current: () => Config<S>;
  /** Returns a value of the settings for a part that asks for it again, such as a secret. */
  follow<T>(select: (config: Config<S>) => T): Followed<T>;
}

/** A value that may change while the service runs. */
export interface Followed<T> {
  /** Returns the value in force. */
  readonly current: () => T;
  /**
   * Reads the sources now and applies what has changed, for a part whose secret was refused. A
   * failure is logged as one of the watch.
   */
  readonly reload: (options?: Abortable) => Promise<void>;
}

/**
 * Applies changes of live settings without a restart. A change that is wrong is logged, and the
 * last valid settings stay. A changed setting that is not live is logged: it needs a restart.
 */
export async function followLiveSettings<S extends Schema>(
  schema: S,
  running: Config<S>,
  { sources, notices }: Pick<ServiceContext, "sources" | "notices">,
  logger: Logger,
): Promise<LiveConfig<S>> {
  if (notices !== undefined) notices.logger = logger;
  let current = running;
  let changes = 0;
  const settings = listSettings(schema, "").filter(({ live }) => live);
  const shown = settings.flatMap(({ key, secret }) => (secret ? [] : [key]));

  function apply(loaded: Config<S>): readonly string[] {
    const { config, changed, needRestart } = applyLive(schema, current, loaded);
    const secrets = changed.filter((key) => !shown.includes(key));
    current = config;
    changes++;
    if (changed.length > secrets.length) logger.info("settings changed", { settings: pick(config, shown) });
    if (secrets.length > 0) logger.info("secrets changed", { settings: secrets });
    return needRestart;
  }

  function refuse({ message }: ConfigError): void {
    logger.warn("changed settings are invalid; keeping the last valid ones", { problems: message });
  }

  async function reload(options?: Abortable): Promise<void> {
    const before = changes;
    try {
      const loaded = await loadConfig(schema, sources, options);
      // Otherwise the watch has applied something meanwhile, which may be newer.
      if (before === changes) apply(loaded);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      refuse(error);
    }
  }

  const following = await followConfig(schema, sources, {
    onChange(loaded) {
      const needRestart = apply(loaded);
      if (needRestart.length > 0) logger.warn("changed settings need a restart", { settings: needRestart });
    },
    onRefused: refuse,
    onFailure: (error) => logger.error("settings are no longer followed; restart to apply changes", error),
  });
  return {
    current: () => current,
    follow: (select) => ({ current: () => select(current), reload }),
    [Symbol.asyncDispose]: () => following[Symbol.asyncDispose](),
  };
}

function pick(config: unknown, keys: readonly string[]): Readonly<Record<string, unknown>> {
  const valueOf = (key: string): unknown =>
    key.split(".").reduce((section, name) => (section as Record<string, unknown> | undefined)?.[name], config);
  return Object.fromEntries(keys.map((key) => [key, valueOf(key)]));
}
