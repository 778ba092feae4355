import type { Context } from "@opentelemetry/api";

/**
 * OpenTelemetry's Context as a list of what was set, the last first. The API's own copies a map and makes three functions for
 * each value, and there is one for each span; ours hold one or two values.
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
    // What is set anew takes the place of what it hides, so that spans in spans make no longer and longer list.
    return new LinkedContext(key, value, this.#key === key ? this.#above : this);
  }

  deleteValue(key: symbol): Context {
    return this.setValue(key, undefined);
  }
}

/** Nothing is set in it. */
export const emptyContext: Context = new LinkedContext();
