import {
  type Config,
  type Environment,
  env,
  file,
  loadConfig,
  type Source,
  type StaleDocument,
  settingsPrefix,
} from "@plumbline/config";
import { type Logger, noTelemetry } from "@plumbline/telemetry";
import { ConfigSettings, configPrefix } from "./config-settings.ts";
import { openConsulClient, openEtcdClient } from "./open-stores.ts";

/** The sources of a service's settings, and the connections behind them. */
export interface OpenSources extends AsyncDisposable {
  /** A later one wins: the document, then the variables. */
  readonly sources: readonly Source[];
  /** The document of feature flags, which may be missing. Nothing is read before it is used. */
  readonly flags: Source;
  /** Returns another document of the service, in the same store. It is read once it is used. */
  readonly document: OpenDocument;
  readonly notices: SourceNotices;
}

/** Opens a document of a service, beside its settings. */
export type OpenDocument = (place: DocumentPlace) => Source;

/** The place of a document in each kind of store. */
export interface DocumentPlace {
  /** The path, for the source file. */
  readonly file: string;
  /** The key, for the sources etcd and consul. */
  readonly key: string;
  /** The end of the name of its cache file, which is beside that of the settings. */
  readonly name: string;
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
  const variables = env(settingsPrefix(name), environment, { except: `${prefix}_` });
  const owned = opened.move();
  return {
    sources: [documents.settings, variables],
    flags: documents.flags,
    document: documents.document,
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
  readonly document: OpenDocument;
}

async function openDocuments(name: string, chosen: Chosen, { notices, opened }: Parts): Promise<Documents> {
  if (chosen.source === "file") {
    const { file: named, optional } = chosen;
    const settings = named === undefined ? file(`config/${name}.yaml`, { optional: true }) : file(named, { optional });
    return {
      settings,
      flags: file(chosen.flagsFile ?? `config/${name}.flags.json`, { optional: true }),
      document: (place) => file(place.file),
    };
  }
  const { key = `plumbline/config/${name}.yaml`, flagsKey = `plumbline/flags/${name}.json`, cacheFile } = chosen;
  const source = await openStore(chosen, {
    opened,
    onStale: (stale) => notices.stale(stale),
    onCacheFailure: (error) => notices.cacheFailed(error),
  });
  return {
    settings: source(key, { optional: chosen.optional, cacheFile }),
    flags: source(flagsKey, { optional: true, cacheFile: cacheFile && `${cacheFile}.flags` }),
    document: (place) => source(place.key, { cacheFile: cacheFile && `${cacheFile}.${place.name}` }),
  };
}

interface Hooks extends Pick<Parts, "opened"> {
  readonly onStale: (stale: StaleDocument) => void;
  readonly onCacheFailure: (error: unknown) => void;
}

interface KeyOptions {
  readonly optional?: boolean | undefined;
  readonly cacheFile?: string | undefined;
}

/** Opens the client of the store. Resolves with a function that makes the source of a key. */
async function openStore(
  chosen: Chosen,
  { opened, ...hooks }: Hooks,
): Promise<(key: string, options: KeyOptions) => Source> {
  const parts = { opened, logger: noTelemetry.logger };
  // Services that use neither load neither.
  if (chosen.source === "etcd") {
    const etcd = await openEtcdClient(chosen.etcd, parts);
    const { etcdSource } = await import("@plumbline/etcd");
    return (key, options) => etcdSource(etcd, key, { ...hooks, ...options });
  }
  const consul = await openConsulClient(chosen.consul, parts);
  const { consulSource } = await import("@plumbline/consul");
  return (key, options) => consulSource(consul, key, { ...hooks, ...options });
}
