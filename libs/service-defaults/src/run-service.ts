import { type Config, loadConfig, type Schema, type Source, settingsPrefix } from "@plumbline/config";
import { run } from "@plumbline/lifecycle";
import { configPrefix } from "./config-settings.ts";
import { type OpenDocument, openSources, type SourceNotices } from "./open-sources.ts";

/** The name, the stop signal and the sources of a running service. */
export interface ServiceContext {
  /** The name of the service: in its logs, of its consumer group, on its connections. */
  readonly name: string;
  /** Aborts when the process must stop: take no new work. Never hand it to work that runs. */
  readonly signal: AbortSignal;
  /** The sources that the settings were loaded from. */
  readonly sources: readonly Source[];
  /** The document of feature flags. */
  readonly flags: Source;
  /** Returns another document of the service, in the store that its settings are in. */
  readonly document: OpenDocument;
  /** The problems of sources that the service goes on with. */
  readonly notices?: SourceNotices | undefined;
}

type Work<S extends Schema> = (config: Config<S>, context: ServiceContext) => Promise<void>;

/** A schema with `settings.shutdown()`. */
type ServiceSchema = Schema & { readonly _zod: { readonly output: { readonly graceMs: number } } };

export interface RunServiceOptions<S extends Schema> {
  /** Runs for the argument `migrate`. Without it the service takes no argument. */
  readonly migrate?: Work<S> | undefined;
}

/**
 * Runs a service from its settings to its exit code. Loads the settings of `name`, runs `main`
 * until SIGTERM or SIGINT, and ends the process after `graceMs` at the latest. Wrong settings are
 * printed all at once, with exit code 1. An unknown argument is named, with exit code 2.
 */
export async function runService<S extends ServiceSchema>(
  name: string,
  schema: S,
  main: Work<S>,
  { migrate }: RunServiceOptions<S> = {},
): Promise<void> {
  const [argument, ...others] = process.argv.slice(2);
  if (argument === "--help" || argument === "-h") {
    console.log(usage(name, migrate !== undefined));
    return;
  }
  const work = argument === undefined ? main : argument === "migrate" ? migrate : undefined;
  if (work === undefined || others.length > 0) {
    const unknown = JSON.stringify(work === undefined ? argument : others[0]);
    const takes = migrate === undefined ? "no argument" : 'no argument, or "migrate"';
    console.error(`${name}: unknown argument ${unknown}: it takes ${takes}; see --help`);
    process.exitCode = 2;
    return;
  }

  try {
    await using opened = await openSources(name);
    const { sources, flags, document, notices } = opened;
    const config = await loadConfig(schema, sources);
    await run((signal) => work(config, { name, signal, sources, flags, document, notices }), {
      graceMs: config.graceMs,
    });
  } catch (error) {
    console.error(error);
    process.exitCode = 1;
  }
}

function usage(name: string, canMigrate: boolean): string {
  const prefix = settingsPrefix(name);
  const rows = [
    ["(no argument)", "serves until SIGTERM or SIGINT"],
    ...(canMigrate ? [["migrate", "prepares the database and the topics for this version, then exits"]] : []),
    ["--help", "prints this text"],
  ];
  return [
    `Usage: ${name}${canMigrate ? " [migrate]" : ""}`,
    "",
    ...rows.map(([argument = "", does]) => `  ${argument.padEnd(14)} ${does}`),
    "",
    `Settings come from config/${name}.yaml, or from the file that ${prefix}_CONFIG_FILE names, and`,
    `from variables that begin with ${prefix}_, which win. docs/settings.md lists them.`,
    `${configPrefix(name)}_SOURCE=etcd or consul takes the document from there: docs/configuration.md.`,
  ].join("\n");
}
