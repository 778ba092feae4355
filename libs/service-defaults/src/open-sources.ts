import {
  type Config,
  type Environment,
  env,
  file,
  loadConfig,
  type Source,
  type StaleDocument,
} from "@plumbline/config";
import { type Logger, noTelemetry } from "@plumbline/telemetry";
import { ConfigSettings, configPrefix, prefixOf } from "./config-settings.ts";
import { openConsulClient, openEtcdClient } from "./open-stores.ts";

/** The sources of a service's settings, and the connections behind them. */
export interface OpenSources extends AsyncDisposable {
  /** A later one wins: the document, then the variables. */
  readonly sources: readonly Source[];
  /** The document of feature flags, which may be missing. Nothing is read before it is used. */
  readonly flags: Source;
  readonly notices: SourceNotices;
}

/** The problems of sources that a service goes on with. */
export class SourceNotices {
  /** Receives them. Before the service has a logger they are lines on standard error. */
  logger: Pick<Logger, "warn"> = {
    warn: (message, fields) => console.error(`${message} ${JSON.stringify(fields)}`),
  };

  stale({ source, error, ageMs, cacheFile }: StaleDocument): void {
    const reason = error instanceof Error ? error.message : String(error);
    const message = "the source of settings does not answer; using the last document";
    this.logger.warn(message, { source, reason, ageMs, ...(cacheFile !== undefined && { cacheFile }) });
  }

  cacheFailed(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    this.logger.warn("the cache file of the settings cannot be used", { reason });
  }
}

type Chosen = Config<typeof ConfigSettings>;

/**
 * Opens the sources that the variables `<NAME>_CONFIG_*` choose. By default it is the file
 * `config/<name>.yaml`, which may be missing. Rejects with a `ConfigError` for wrong variables.
 */
export async function openSources(name: string, environment: Environment = process.env): Promise<OpenSources> {
  const prefix = configPrefix(name);
  const chosen = await loadConfig(ConfigSettings, [env(prefix, environment)]);
  const notices = new SourceNotices();
  await using opened = new AsyncDisposableStack();
  const documents = await openDocuments(name, chosen, { notices, opened });
  const variables = env(prefixOf(name), environment, { except: `${prefix}_` });
  const owned = opened.move();
  return {
    sources: [documents.settings, variables],
    flags: documents.flags,
    notices,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

interface Parts {
  readonly notices: SourceNotices;
  /** Takes what must be closed. */
  readonly opened: AsyncDisposableStack;
}

interface Documents {
  readonly settings: Source;
  readonly flags: Source;
}

async function openDocuments(name: string, chosen: Chosen, { notices, opened }: Parts): Promise<Documents> {
  if (chosen.source === "file") {
    const { file: named, optional } = chosen;
    const settings = named === undefined ? file(`config/${name}.yaml`, { optional: true }) : file(named, { optional });
    return { settings, flags: file(chosen.flagsFile ?? `config/${name}.flags.json`, { optional: true }) };
  }
  const { key = `plumbline/config/${name}.yaml`, flagsKey = `plumbline/flags/${name}.json`, cacheFile } = chosen;
  const hooks = {
    onStale: (stale: StaleDocument) => notices.stale(stale),
    onCacheFailure: (error: unknown) => notices.cacheFailed(error),
  };
  const settingsOptions = { ...hooks, optional: chosen.optional, cacheFile };
  const flagsOptions = { ...hooks, optional: true, cacheFile: cacheFile && `${cacheFile}.flags` };
  if (chosen.source === "etcd") {
    const etcd = await openEtcdClient(chosen.etcd, { opened, logger: noTelemetry.logger });
    // Other services do not load it.
    const { etcdSource } = await import("@plumbline/etcd");
    return {
      settings: etcdSource(etcd, key, settingsOptions),
      flags: etcdSource(etcd, flagsKey, flagsOptions),
    };
  }
  const consul = await openConsulClient(chosen.consul, { opened, logger: noTelemetry.logger });
  const { consulSource } = await import("@plumbline/consul");
  return {
    settings: consulSource(consul, key, settingsOptions),
    flags: consulSource(consul, flagsKey, flagsOptions),
  };
}
