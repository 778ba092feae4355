import { parseArgs } from "node:util";
import { didYouMean, nearest, type Option, type Options, UsageError, type ValuesOf } from "./options.ts";

/** The description of a command, for its help and for reading its line. */
export interface CommandSpec<O extends Options> {
  /** The words that start it: `npm run crash`. */
  readonly name: string;
  /** Its purpose, in one or two sentences. */
  readonly about: string;
  readonly options?: O;
  /** The words that may follow: subcommands or parts, with a line for the help of each. */
  readonly words?: Readonly<Record<string, string>>;
  /**
   * The number of words: "one", "any" (none means all), or "free" for words of any spelling. "any"
   * by default.
   */
  readonly take?: "one" | "any" | "free";
  /** The words in the first line of the help; `COMMAND` or `PART...` where not given. */
  readonly wordsAs?: string;
  /** The word for options of another program, which gets the arguments after `--`. */
  readonly passes?: string;
  /** Paragraphs below the options. */
  readonly notes?: readonly string[];
}

export interface Line<O extends Options> {
  readonly values: ValuesOf<O>;
  readonly words: readonly string[];
  /** The arguments behind `--`. */
  readonly passed: readonly string[];
}

/** Reads a command line. Returns undefined when help is asked for. Throws UsageError. */
export function readCommand<O extends Options>(spec: CommandSpec<O>, args: readonly string[]): Line<O> | undefined {
  const options: Options = spec.options ?? {};
  const all: Readonly<Record<string, Option<unknown> | undefined>> = { ...options, help: undefined };
  const { tokens } = parseArgs({
    args: [...args],
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: Object.fromEntries(
      Object.entries(all).map(([name, option]) => [
        name,
        {
          type: option?.takes === undefined ? ("boolean" as const) : ("string" as const),
          ...(name === "help" && { short: "h" }),
          ...(option?.short !== undefined && { short: option.short }),
        },
      ]),
    ),
  });
  const end = tokens.find(({ kind }) => kind === "option-terminator")?.index ?? args.length;
  const before = tokens.filter(({ index }) => index < end);
  if (before.some((token) => token.kind === "option" && token.name === "help")) return undefined;
  const given: Record<string, string[]> = {};
  const words: string[] = [];
  for (const token of before) {
    if (token.kind === "positional") words.push(token.value);
    if (token.kind !== "option") continue;
    const { name, value, inlineValue, rawName } = token;
    const option = Object.hasOwn(options, name) ? options[name] : undefined;
    if (option === undefined) throw new UsageError(unknownOption(rawName, Object.keys(options)));
    // A value that begins with a dash is more likely the next option.
    const isMissing = value === undefined || (inlineValue !== true && value.startsWith("-") && !/^-\d/.test(value));
    if (option.takes === undefined && value !== undefined) throw new UsageError(`--${name} takes no value`);
    if (option.takes !== undefined && isMissing)
      throw new UsageError(`--${name} needs a value: --${name} ${option.takes}`);
    if (given[name] !== undefined && !option.many) throw new UsageError(`--${name} is given twice`);
    (given[name] ??= []).push(value ?? "");
  }
  checkWords(spec, words);
  const passed = args.slice(end + 1);
  if (passed.length > 0 && spec.passes === undefined) {
    throw new UsageError(`nothing may follow "--", got ${JSON.stringify(passed[0])}`);
  }
  const values = Object.entries(options).map(([name, option]) => [name, option.parse(given[name] ?? [], name)]);
  return { values: Object.fromEntries(values) as ValuesOf<O>, words, passed };
}

function unknownOption(written: string, names: readonly string[]): string {
  const near = nearest(written.replace(/^-+/, ""), [...names, "help"]);
  const known = names.length === 0 ? "it takes none" : `it takes ${names.map((name) => `--${name}`).join(", ")}`;
  return `there is no option ${written}${didYouMean(near && `--${near}`) || `; ${known}`}`;
}

function checkWords({ words: known = {}, take = "any" }: CommandSpec<Options>, words: readonly string[]): void {
  if (take === "free") return;
  const names = Object.keys(known);
  const [first] = words;
  if (names.length === 0 && first !== undefined)
    throw new UsageError(`it takes options only, not ${JSON.stringify(first)}`);
  const wrong = words.find((word) => !names.includes(word));
  if (wrong !== undefined) {
    const near = didYouMean(nearest(wrong, names)) || `; there is ${names.join(", ")}`;
    throw new UsageError(`there is no ${take === "one" ? "command" : "part"} ${JSON.stringify(wrong)}${near}`);
  }
  if (take === "one" && words.length !== 1) {
    throw new UsageError(`it takes one of ${names.join(", ")}${words.length === 0 ? "" : `, not ${words.length}`}`);
  }
}

/** Returns the help of a command. */
export function helpOf<O extends Options>(spec: CommandSpec<O>): string {
  const { name, about, options = {}, words = {}, take = "any", passes, notes = [] } = spec;
  const separator = name.startsWith("npm ") ? " --" : "";
  const parts = spec.wordsAs ?? (Object.keys(words).length === 0 ? "" : take === "one" ? "COMMAND" : "[PART...]");
  const usage = `${name}${separator} ${[parts, "[OPTIONS]", passes && `[-- ${passes}]`].filter(Boolean).join(" ")}`;
  const optionRows = [...Object.entries(options as Options), ["help", undefined] as const].map(
    ([key, option]) =>
      [`--${key}${option?.takes === undefined ? "" : ` ${option.takes}`}`, option?.about ?? "shows this"] as const,
  );
  const columns = [...Object.entries(words), ...optionRows];
  const width = Math.min(28, Math.max(...columns.map(([left]) => left.length)));
  const rows = (of: readonly (readonly [string, string])[]) =>
    of.flatMap(([left, right]) =>
      left.length > width ? [`  ${left}`, `  ${" ".repeat(width)}  ${right}`] : [`  ${left.padEnd(width)}  ${right}`],
    );
  return [
    `Usage: ${usage.trimEnd()}`,
    "",
    about,
    "",
    ...rows(Object.entries(words)),
    ...(Object.keys(words).length > 0 ? [""] : []),
    ...rows(optionRows),
    ...notes.flatMap((note) => ["", note]),
  ].join("\n");
}
