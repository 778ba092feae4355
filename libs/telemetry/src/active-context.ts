import { AsyncLocalStorage } from "node:async_hooks";
import { type Context, type ContextManager, context } from "@opentelemetry/api";
import { emptyContext } from "./linked-context.ts";

/**
 * Lets OpenTelemetry's API carry the active span through promises and timers. The API has one
 * context manager per process. It holds no configuration, only the active span, so every Telemetry
 * shares it. A manager that is already registered, as by auto-instrumentation, stays and works as
 * well.
 */
export function enableContext(): void {
  context.setGlobalContextManager(new AsyncContext());
}

class AsyncContext implements ContextManager {
  readonly #storage = new AsyncLocalStorage<Context>();

  active(): Context {
    return this.#storage.getStore() ?? emptyContext;
  }

  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    active: Context,
    work: F,
    self?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    return this.#storage.run(active, () => work.apply(self, args));
  }

  bind<T>(active: Context, target: T): T {
    if (typeof target !== "function") return target;
    const run = (...args: unknown[]): unknown => this.#storage.run(active, () => target(...args));
    return run as T;
  }

  enable(): this {
    return this;
  }

  disable(): this {
    this.#storage.disable();
    return this;
  }
}
