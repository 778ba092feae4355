import type { Context } from "@opentelemetry/api";

/**
 * A Context of OpenTelemetry as a linked list, the last value first. The API's own implementation
 * copies a map and makes three functions per value, and each span sets a value. These hold one or
 * two values.
 */
class LinkedContext implements Context {
  readonly #key: symbol | undefined;
  readonly #value: unknown;
  readonly #above: LinkedContext | undefined;

  constructor(key?: symbol, value?: unknown, above?: LinkedContext) {
    this.#key = key;
    this.#value = value;
    this.#above = above;
  }

  getValue(key: symbol): unknown {
    return this.#key === key ? this.#value : this.#above?.getValue(key);
  }

  setValue(key: symbol, value: unknown): Context {
    // A new value replaces the one it hides, so that nested spans do not make the list longer.
    return new LinkedContext(key, value, this.#key === key ? this.#above : this);
  }

  deleteValue(key: symbol): Context {
    return this.setValue(key, undefined);
  }
}

/** A context without values. */
export const emptyContext: Context = new LinkedContext();
