import { similar } from "@plumbline/config/similar";

/** The options of a command line: how a value is written, checked and shown in the help. */

/**
 * A wrong command line. Its message is one line that names what is wrong and what would be right.
 */
export class UsageError extends Error {
  override name = "UsageError";
}

export interface Option<T> {
  /** The word for the value in the help, `N`. Undefined for a switch, which takes none. */
  readonly takes: string | undefined;
  /** One line for the help. */
  readonly about: string;
  /** It may be given more than once. */
  readonly many: boolean;
  /** The single letter that stands for it, without a dash. */
  readonly short?: string;
  /**
   * Returns the value of the texts that were given, none where the option was left out. Throws
   * UsageError.
   */
  parse(texts: readonly string[], name: string): T;
}

export type Options = Readonly<Record<string, Option<unknown>>>;
export type ValuesOf<O extends Options> = { readonly [K in keyof O]: O[K] extends Option<infer T> ? T : never };

/** A switch: true where it is given. */
export function flag(about: string): Option<boolean> {
  return { takes: undefined, about, many: false, parse: (texts) => texts.length > 0 };
}

/** Any text: a name, a file, an address. */
export function text<P extends string | undefined = undefined>(
  about: string,
  { takes = "TEXT", preset }: { readonly takes?: string; readonly preset?: P } = {},
): Option<string | P> {
  return { takes, about: withPreset(about, preset), many: false, parse: (texts) => texts.at(-1) ?? (preset as P) };
}

/** Texts, given one after another: `--scale gateway=2 --scale orders=2`. */
export function texts(about: string, takes: string, short?: string): Option<readonly string[]> {
  return { takes, about, many: true, ...(short !== undefined && { short }), parse: (given) => given };
}

/** A whole number between two bounds. */
export function whole<P extends number | undefined = undefined>(
  about: string,
  { least, most, preset, takes = "N" }: NumberOptions<P>,
): Option<number | P> {
  return number<P>(about, { least, most, preset, takes }, Number.isInteger, "a whole number");
}

/** A number between two bounds. */
export function decimal<P extends number | undefined = undefined>(
  about: string,
  { least, most, preset, takes = "N" }: NumberOptions<P>,
): Option<number | P> {
  return number<P>(about, { least, most, preset, takes }, Number.isFinite, "a number");
}

interface NumberOptions<P> {
  readonly least: number;
  readonly most: number;
  readonly preset?: P | undefined;
  readonly takes?: string;
}

function number<P extends number | undefined>(
  about: string,
  { least, most, preset, takes = "N" }: NumberOptions<P>,
  isRight: (value: number) => boolean,
  what: string,
): Option<number | P> {
  return {
    takes,
    about: withPreset(about, preset),
    many: false,
    parse(given, name) {
      const written = given.at(-1);
      if (written === undefined) return preset as P;
      const value = written.trim() === "" ? Number.NaN : Number(written);
      if (isRight(value) && value >= least && value <= most) return value;
      const nearest = Number.isNaN(value)
        ? ""
        : `; the nearest is ${Math.min(most, Math.max(least, Math.round(value)))}`;
      throw new UsageError(
        `--${name} takes ${what} from ${least} to ${most}, not ${JSON.stringify(written)}${nearest}`,
      );
    },
  };
}

/** One of some names. */
export function choice<T extends string>(
  about: string,
  names: readonly T[],
  options: { readonly preset: NoInfer<T> },
): Option<T>;
export function choice<T extends string>(about: string, names: readonly T[]): Option<T | undefined>;
export function choice<T extends string>(
  about: string,
  names: readonly T[],
  { preset }: { readonly preset?: T } = {},
): Option<T | undefined> {
  return {
    takes: names.join("|"),
    about: withPreset(about, preset),
    many: false,
    parse(given, name) {
      const written = given.at(-1);
      if (written === undefined) return preset;
      return oneOf(written, names, `--${name} takes`);
    },
  };
}

/**
 * Several of some names, with commas: `--only rpc,gateway`. All of them where the option is left
 * out.
 */
export function choices<T extends string>(about: string, names: readonly T[]): Option<readonly T[]> {
  return {
    takes: "A,B",
    about: `${about}: ${names.join(", ")}`,
    many: false,
    parse(given, name) {
      const written = given.at(-1);
      if (written === undefined) return names;
      return written.split(",").map((one) => oneOf(one, names, `--${name} takes`));
    },
  };
}

/**
 * Returns the one of `names` that was written. Throws UsageError, with the nearest name where one
 * is near.
 */
export function oneOf<T extends string>(written: string, names: readonly T[], what: string): T {
  const found = names.find((name) => name === written);
  if (found !== undefined) return found;
  throw new UsageError(`${what} ${list(names)}, not ${JSON.stringify(written)}${didYouMean(nearest(written, names))}`);
}

/** Returns a question that offers a name; nothing where there is none. */
export function didYouMean(name: string | undefined): string {
  return name === undefined ? "" : `; did you mean ${name}?`;
}

/**
 * Returns the name that someone most likely meant: the nearest, or the only one that begins as they
 * wrote.
 */
export function nearest(written: string, names: readonly string[]): string | undefined {
  const begun = names.filter((name) => written.length > 1 && name.startsWith(written));
  return similar(written, names) ?? (begun.length === 1 ? begun[0] : undefined);
}

function list(names: readonly string[]): string {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} or ${names.at(-1)}`;
}

function withPreset(about: string, preset: unknown): string {
  return preset === undefined || preset === "" ? about : `${about} (${String(preset)})`;
}
