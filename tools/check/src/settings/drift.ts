import { type Config, ConfigError, env, file, loadConfig, type Schema, type Source } from "@plumbline/config";
import { ConfigSettings, configPrefix } from "@plumbline/service-defaults";
import { settingsPrefix } from "@plumbline/tools-stack";
import type { Service } from "./services.ts";
import type { Started } from "./started.ts";

/** Variables that a container may have beside its settings. */
const ofOthers: ReadonlySet<string> = new Set(["NODE_OPTIONS", "PROBE_URL", "TZ"]);

/**
 * Returns one line for each problem that prevents a started service from reading its settings, and
 * for each service that `started` leaves out. It reads files in `config/` from the working folder,
 * like the service.
 */
export async function findDrift(services: readonly Service[], started: readonly Started[]): Promise<readonly string[]> {
  const schemas = new Map(services.map(({ name, schema }) => [name, schema]));
  const problems = await Promise.all(
    started.map(async ({ where, app, environment }) => {
      const schema = schemas.get(app);
      if (schema === undefined) return [`${where}: there is no apps/${app}/src/config.ts to check it by`];
      const prefix = `${settingsPrefix(app)}_`;
      const strangers = Object.keys(environment).filter((name) => !name.startsWith(prefix) && !ofOthers.has(name));
      return [
        ...strangers.map(
          (name) => `${where}: ${name} is not read by ${app}: its settings begin with ${prefix}; remove it`,
        ),
        ...(await settingsProblems(where, { name: app, schema }, environment)),
      ];
    }),
  );
  const missing = services.filter(({ name }) => !started.some(({ app }) => app === name));
  return [...problems.flat(), ...missing.map(({ name }) => `${name} is started nowhere: add it or remove the app`)];
}

async function settingsProblems(
  where: string,
  { name, schema }: Service,
  environment: Started["environment"],
): Promise<readonly string[]> {
  const prefix = configPrefix(name);
  const chosen = await load(where, ConfigSettings, [env(prefix, environment)]);
  if (chosen.config === undefined) return chosen.problems;
  const variables = env(settingsPrefix(name), environment, { except: `${prefix}_` });
  // The document in a store is not known here. It may set what the variables do not.
  const { source, file: named } = chosen.config;
  const preset = `config/${name}.yaml`;
  const document = source === "file" && named !== undefined ? file(named) : file(preset, { optional: true });
  return (await load(where, schema, [document, variables])).problems;
}

interface Loaded<S extends Schema> {
  readonly config?: Config<S>;
  readonly problems: readonly string[];
}

async function load<S extends Schema>(where: string, schema: S, sources: readonly Source[]): Promise<Loaded<S>> {
  try {
    return { config: await loadConfig(schema, sources), problems: [] };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const problems = error.problems.map(
      ({ key, source, expected }) => `${where}: ${key} (${source}): expected ${expected}`,
    );
    return { problems };
  }
}
