import type { z } from "zod";
import type { Problem } from "./config-error.ts";
import type { Setting } from "./settings.ts";
import type { Entry, Source } from "./source.ts";

/** Translates an issue of zod to a problem that names the source. */
export function problemOf(
  issue: z.core.$ZodIssue,
  settings: readonly Setting[],
  entries: ReadonlyMap<string, Entry>,
  sources: readonly Source[],
): Problem {
  const path = issue.path.map(String);
  const setting = settings.find((candidate) => candidate.path.every((name, index) => path[index] === name));
  const key = path.join(".") || "*";
  if (setting === undefined) return { key, source: from(sources), expected: plain(issue.message) };
  const isWhole = path.length === setting.path.length;
  // A rule with its own text says more than the type: "required by the adapter postgres".
  const expected = isWhole && !isCustom(issue) ? setting.expected : plain(issue.message);
  const entry = entries.get(setting.key);
  if (entry === undefined) return { key, source: `not set: ${places(sources, setting)}`, expected };
  return { key, source: entry.origin, expected: `${expected}${isWhole ? not(setting, entry.value) : ""}` };
}

function places(sources: readonly Source[], setting: Setting): string {
  return sources
    .toReversed()
    .map((source) => source.nameOf?.(setting.path) ?? `${setting.key} in ${source.name}`)
    .join(", or ");
}

function from(sources: readonly Source[]): string {
  return sources.map((source) => source.name).join(", ");
}

// zod's own messages start like this. Texts given to `regex` or `refine` say more than the type.
function isCustom(issue: z.core.$ZodIssue): boolean {
  return issue.code === "custom" || !/^(Invalid|Too )/.test(issue.message);
}

// The error writes "expected" in front of each text.
function plain(message: string): string {
  return message.replace(/^(Invalid input: )?expected /, "");
}

/**
 * Returns the wrong value, unless it could be a secret. Any text could, so only values of other
 * types are shown.
 */
function not({ secret, types }: Setting, value: unknown): string {
  const isShort =
    typeof value === "number" || typeof value === "boolean" || (typeof value === "string" && value.length <= 40);
  return secret || types.includes("string") || types.length === 0 || !isShort ? "" : `, not ${JSON.stringify(value)}`;
}
