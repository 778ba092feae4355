import { inspect } from "node:util";

const shown = "[secret]";

/**
 * A value that must not be printed. In logs, errors, templates, JSON and `console.log` it shows
 * `[secret]`. The code that needs the value calls `reveal`, which is easy to find in a review.
 */
export class Secret {
  // A private field: neither inspection nor a structured clone reveals it.
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
    Object.freeze(this);
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return shown;
  }

  toJSON(): string {
    return shown;
  }

  [Symbol.toPrimitive](): string {
    return shown;
  }

  [inspect.custom](): string {
    return shown;
  }
}
