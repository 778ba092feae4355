import { setTimeout as sleep } from "node:timers/promises";

/** Asks until `isDone` accepts the value. Rejects with the last value after `ms`. */
export async function eventually<T>(ask: () => Promise<T> | T, isDone: (value: T) => boolean, ms = 20_000): Promise<T> {
  const until = performance.now() + ms;
  for (;;) {
    const value = await ask();
    if (isDone(value)) return value;
    if (performance.now() > until) {
      const text = JSON.stringify(value, (_key, part) => (typeof part === "bigint" ? String(part) : part));
      throw new Error(`not within ${ms} ms; at the end: ${text}`);
    }
    await sleep(5);
  }
}
