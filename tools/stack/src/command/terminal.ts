import { styleText } from "node:util";

type Format = Parameters<typeof styleText>[0];

/** A stream that text is written to: standard output, or a test's. */
export interface Output {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): unknown;
}

/**
 * Returns true where lines may be rewritten: on a terminal that can, and not in a build. Elsewhere
 * every line stays, and no escape sequence is written.
 */
export function isLive(output: Output, environment: NodeJS.ProcessEnv = process.env): boolean {
  const { CI = "", TERM } = environment;
  return output.isTTY === true && TERM !== "dumb" && (CI === "" || CI === "false");
}

/**
 * Returns true where colours may be written: NO_COLOR and FORCE_COLOR win over what the output is.
 */
export function hasColors(output: Output, environment: NodeJS.ProcessEnv = process.env): boolean {
  const { NO_COLOR = "", FORCE_COLOR } = environment;
  if (NO_COLOR !== "") return false;
  if (FORCE_COLOR !== undefined) return FORCE_COLOR !== "0" && FORCE_COLOR !== "false";
  return isLive(output, environment);
}

/** Returns the text in a colour, where the output has colours. */
export function paint(format: Format, text: string, output: Output = process.stdout): string {
  return hasColors(output) ? styleText(format, text, { validateStream: false }) : text;
}

/**
 * The progress of long work: one line that is rewritten on a terminal, and elsewhere a line now and
 * then.
 */
export class Progress implements Disposable {
  readonly #output: Output;
  readonly #isLive: boolean;
  readonly #everyMs: number;
  #writtenAt = Number.NEGATIVE_INFINITY;
  #last = "";
  #isOpen = false;

  constructor(output: Output = process.stdout, environment: NodeJS.ProcessEnv = process.env, plainEveryMs = 1_000) {
    this.#output = output;
    this.#isLive = isLive(output, environment);
    this.#everyMs = this.#isLive ? 50 : plainEveryMs;
  }

  /**
   * Shows where the work is. Called too soon after the last time it writes nothing, unless `now` is
   * set.
   */
  show(text: string, { now = false }: { readonly now?: boolean } = {}): void {
    if (text === this.#last) return;
    const at = performance.now();
    if (!now && at - this.#writtenAt < this.#everyMs) return;
    this.#writtenAt = at;
    this.#last = text;
    if (this.#isLive) {
      this.#isOpen = true;
      this.#output.write(`\r\u001b[2K${text.slice(0, (this.#output.columns ?? 80) - 1)}`);
    } else this.#output.write(`${text}\n`);
  }

  /** Writes a line that stays, above the progress. */
  line(text: string): void {
    this.#clear();
    this.#output.write(`${text}\n`);
    this.#last = "";
  }

  [Symbol.dispose](): void {
    this.#clear();
  }

  #clear(): void {
    if (this.#isOpen) this.#output.write("\r\u001b[2K");
    this.#isOpen = false;
  }
}
