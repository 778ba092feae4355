import type { Abortable } from "@plumbline/concurrency";
import type { z } from "zod";
import { ConfigError, type Problem } from "./config-error.ts";
import { type Frozen, freeze } from "./frozen.ts";
import { problemOf } from "./problem-of.ts";
import { type Schema, shapeOf } from "./settings.ts";
import type { Entry, Source } from "./source.ts";

/** A configuration: the schema's output, deeply read-only. */
export type Config<S extends Schema> = Frozen<z.output<S>>;

/**
 * Reads all sources and checks the result against `schema`. Later sources win. The result is
 * frozen.
 *
 * @throws ConfigError with all problems: missing and wrong values, unknown keys and variables,
 * unreadable files.
 */
export async function loadConfig<S extends Schema>(
  schema: S,
  sources: readonly Source[],
  options: Abortable = {},
): Promise<Config<S>> {
  const shape = shapeOf(schema);
  const readings = await Promise.all(sources.map((source) => source.read(shape.settings, options)));
  const problems: Problem[] = readings.flatMap((reading) => reading.problems);
  const entries = new Map<string, Entry>();
  for (const entry of readings.flatMap((reading) => reading.entries)) entries.set(entry.path.join("."), entry);

  const parsed = await schema.safeParseAsync(treeOf(shape.sections, entries.values()));
  if (!parsed.success) {
    problems.push(...parsed.error.issues.map((issue) => problemOf(issue, shape.settings, entries, sources)));
  }
  if (problems.length > 0 || !parsed.success) throw new ConfigError(withoutFollowers(problems));
  await Promise.all(readings.map(async (reading) => reading.accepted?.()));
  return freeze(parsed.data);
}

type Tree = Record<string, unknown>;

function treeOf(sections: Iterable<readonly string[]>, entries: Iterable<Entry>): Tree {
  const root: Tree = {};
  for (const path of sections) sectionAt(root, path);
  for (const { path, value } of entries) {
    const name = path.at(-1);
    if (name !== undefined) sectionAt(root, path.slice(0, -1))[name] = value;
  }
  return root;
}

function sectionAt(root: Tree, path: readonly string[]): Tree {
  let section = root;
  for (const name of path) section = (section[name] ??= {}) as Tree; // Only sections of the schema are passed.
  return section;
}

/** Omits missing settings if a file cannot be read, since it may have them. */
function withoutFollowers(problems: readonly Problem[]): readonly Problem[] {
  const whole = problems.some(({ key }) => key === "*");
  return whole ? problems.filter(({ source }) => !source.startsWith("not set")) : problems;
}
