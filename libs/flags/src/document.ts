import { MemoryStorage, type Storage } from "@openfeature/flagd-core";
import { z } from "zod";

/** The most flags of one document, so that the labels of metrics stay a small set. */
const maxFlags = 200;
/** The most problems of one document that are reported. */
const maxProblems = 20;

/**
 * A document of flagd, as https://flagd.dev/schema/v0/flags.json describes it. It is checked by the
 * schema of flagd itself.
 */
export const FlagDocument = z
  .object({
    $schema: z.string().optional(),
    flags: z.record(z.string(), z.unknown()).default({}),
    $evaluators: z.record(z.string(), z.unknown()).optional(),
    metadata: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
  })
  .superRefine((document, context) => {
    const { problems } = flagsOf(document);
    for (const { path, message } of problems) context.addIssue({ code: "custom", path: [...path], message });
  });

export interface FlagProblem {
  readonly path: readonly string[];
  /** The expected state. It follows the word "expected". */
  readonly message: string;
}

/** Returns the flags of a document, and all that is wrong with it. */
export function flagsOf(document: unknown): { readonly storage: Storage; readonly problems: readonly FlagProblem[] } {
  const problems: FlagProblem[] = [];
  const refused = (message: unknown): void => {
    const [, flag] = /for flag '([^']+)'/.exec(String(message)) ?? [];
    problems.push({ path: flag === undefined ? ["flags"] : ["flags", flag, "targeting"], message: "a valid rule" });
  };
  const logger = { debug: ignore, info: ignore, warn: refused, error: refused };
  // Rules are interpreted, not compiled: a document must not become code of this process.
  const storage = new MemoryStorage(logger, { disableDynamicCodeGeneration: true });
  try {
    storage.setConfigurations(JSON.stringify(document), true);
    const count = storage.getFlags().size;
    if (count > maxFlags) problems.push({ path: ["flags"], message: `at most ${maxFlags} flags, not ${count}` });
  } catch (error) {
    problems.push(...problemsOf(error));
  }
  return { storage, problems };
}

const SchemaErrors = z.array(z.object({ instancePath: z.string(), message: z.string(), keyword: z.string() }));

/** Translates an error of flagd's parser. */
function problemsOf(error: unknown): readonly FlagProblem[] {
  const text = error instanceof Error ? error.message : String(error);
  const found = SchemaErrors.safeParse(parsed(text.slice(text.indexOf("["))));
  if (!found.success) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : text;
    return [{ path: ["flags"], message: `a document of flagd (${cause.slice(0, 300)})` }];
  }
  // Each alternative that a value does not match is an error. The deepest are about the mistake.
  const errors = found.data.filter(({ keyword }) => keyword !== "anyOf" && keyword !== "if");
  const depth = (path: string): number => path.split("/").length;
  const deepest = Math.max(0, ...errors.map(({ instancePath }) => depth(instancePath)));
  const byPath = Map.groupBy(
    errors.filter(({ instancePath }) => depth(instancePath) === deepest),
    ({ instancePath }) => instancePath,
  );
  const problems = [...byPath].map(([instancePath, group]) => ({
    path: instancePath.split("/").slice(1).map(unescaped),
    message: [...new Set(group.map(({ message }) => message.replace(/^must be /, "")))].slice(0, 4).join(" or "),
  }));
  return problems.length > 0 ? problems.slice(0, maxProblems) : [{ path: ["flags"], message: "a document of flagd" }];
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Undoes the escapes of a JSON pointer. */
function unescaped(part: string): string {
  return part.replaceAll("~1", "/").replaceAll("~0", "~");
}

function ignore(): void {}
