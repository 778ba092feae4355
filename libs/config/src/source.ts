import type { Abortable } from "@plumbline/concurrency";
import type { Problem } from "./config-error.ts";
import type { Setting } from "./settings.ts";

/** A value that a source has for a setting. */
export interface Entry {
  readonly path: readonly string[];
  readonly value: unknown;
  /** The position in the source, such as the name of a variable, or a file and line. */
  readonly origin: string;
}

export interface Reading {
  readonly entries: readonly Entry[];
  readonly problems: readonly Problem[];
  /**
   * Called when the configuration as a whole was valid with this reading, and waited for. A source
   * may keep its content as the last good one. It must not reject.
   */
  accepted?(): Promise<void>;
}

/** A source of settings. `readTree` helps to implement `read` for a source with nested names. */
export interface Source {
  readonly name: string;
  /** Reads these settings, and reports names that are no setting. Rejects only when aborted. */
  read(settings: readonly Setting[], options?: Abortable): Promise<Reading>;
  /** Yields at the start and when `read` may have a new result, until `signal` aborts. */
  changes?(signal: AbortSignal): AsyncIterable<void>;
  /**
   * Returns the place of a setting in this source, to name it when it is missing. Default: `key in
   * name`.
   */
  nameOf?(path: readonly string[]): string;
}
