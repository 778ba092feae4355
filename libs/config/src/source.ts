import type { Abortable } from "@plumbline/concurrency";
import type { Problem } from "./config-error.ts";
import type { Setting } from "./settings.ts";

/** A value one source has for one setting. */
export interface Entry {
  readonly path: readonly string[];
  readonly value: unknown;
  /** Where exactly it stands: a variable's name, a file and line. */
  readonly origin: string;
}

export interface Reading {
  readonly entries: readonly Entry[];
  readonly problems: readonly Problem[];
}

/** A place settings come from. */
export interface Source {
  readonly name: string;
  /** What it has for these settings, and what it has that nobody asked for. Rejects only when aborted. */
  read(settings: readonly Setting[], options?: Abortable): Promise<Reading>;
  /** Where a value for `path` would be written in this source; named when one is missing. */
  nameOf(path: readonly string[]): string;
  /** Yields whenever what is read may have changed, once at the start too, until `signal` aborts. */
  changes?(signal: AbortSignal): AsyncIterable<void>;
}
