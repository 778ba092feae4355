import type { Abortable } from "@plumbline/concurrency";
import type { Problem } from "../config-error.ts";
import { environmentName } from "../environment-name.ts";
import type { Setting } from "../settings.ts";
import { similar } from "../similar.ts";
import type { Entry, Source } from "../source.ts";
import { anyFileChanges } from "./file-changes.ts";
import { fromText } from "./from-text.ts";
import { readBounded } from "./read-bounded.ts";
import { isServiceLink } from "./service-links.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

const maxFileBytes = 64 * 1024;

export interface EnvOptions {
  /** The start of variables that belong to somebody else, such as "ORDERS_CONFIG_". */
  readonly except?: string | undefined;
}

/**
 * Returns a source over environment variables. ORDERS_DATABASE_URL is `database.url` under the
 * prefix ORDERS, and `..._DRAIN_MS` is `drainMs`. `ORDERS_DATABASE_URL_FILE` names a file with the
 * value, such as a mounted secret. `watchConfig` watches that file. An empty variable counts as not
 * set, as in compose files and charts. A variable under the prefix that is no setting is a problem,
 * except those that Kubernetes adds.
 */
export function env(prefix: string, environment: Environment = process.env, { except }: EnvOptions = {}): Source {
  const isIgnored = (name: string): boolean => except !== undefined && name.startsWith(except);
  /** Files that had content. An editor may empty a file before it writes the new content. */
  const filled = new Set<string>();
  // Only the settings show which of them have a value in a file. The others name a file as their
  // value, such as a certificate. Watching these too costs little.
  const files = Object.entries(environment).flatMap(([name, path = ""]) =>
    name.startsWith(`${prefix}_`) && name.endsWith("_FILE") && path !== "" && !isIgnored(name) ? [path] : [],
  );
  return {
    name: `environment ${prefix}_*`,
    nameOf: (path) => environmentName(prefix, path),
    changes: (signal) => anyFileChanges([...new Set(files)], signal),
    async read(settings, options) {
      const known = namesOf(prefix, settings);
      const entries: Entry[] = [];
      const problems: Problem[] = [];
      for (const [name, text = ""] of Object.entries(environment)) {
        if (!name.startsWith(`${prefix}_`) || text === "" || isIgnored(name)) continue;
        const setting = known.get(name);
        const fromFile = setting ? undefined : known.get(name.replace(/_FILE$/, ""));
        if (isServiceLink(name, text)) continue;
        if (setting) entries.push({ path: setting.path, value: fromText(text, setting), origin: name });
        else if (fromFile && (environment[environmentName(prefix, fromFile.path)] ?? "") !== "") {
          problems.push({ key: fromFile.key, source: name, expected: "only one of the variable and its _FILE" });
        } else if (fromFile) {
          const origin = `${name}=${text}`;
          const content = await contentOf(text, options);
          if (content === "" && filled.has(text)) {
            problems.push({ key: fromFile.key, source: origin, expected: "content, which it had before" });
          } else if (typeof content === "string") {
            if (content !== "") filled.add(text);
            entries.push({ path: fromFile.path, value: fromText(content, fromFile), origin });
          } else problems.push({ key: fromFile.key, source: origin, expected: content.expected });
        } else problems.push(unknown(name, [...known.keys()]));
      }
      return { entries, problems };
    },
  };
}

function namesOf(prefix: string, settings: readonly Setting[]): Map<string, Setting> {
  const names = new Map<string, Setting>();
  for (const setting of settings) {
    const name = environmentName(prefix, setting.path);
    const other = names.get(name);
    if (other) throw new TypeError(`the settings ${other.key} and ${setting.key} share the variable ${name}`);
    names.set(name, setting);
  }
  return names;
}

function unknown(name: string, names: readonly string[]): Problem {
  const meant = similar(name, [...names, ...names.map((known) => `${known}_FILE`)]);
  return { key: name, source: "environment", expected: `a known variable${meant ? ` (did you mean ${meant}?)` : ""}` };
}

async function contentOf(path: string, options?: Abortable): Promise<string | { readonly expected: string }> {
  try {
    const content = await readBounded(path, maxFileBytes, options);
    if (content === undefined) return { expected: `a file of at most ${maxFileBytes} bytes` };
    // Editors and `echo` add a line break that is not part of the secret.
    return content.toString().replace(/\r?\n$/, "");
  } catch (error) {
    options?.signal?.throwIfAborted();
    return { expected: `a file that can be read (${codeOf(error)})` };
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unreadable";
}
