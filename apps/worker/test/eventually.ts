import { sleep } from "@plumbline/concurrency";

/**
 * The first value that satisfies `isDone`, asked for again and again; fails after `ms` with the
 * last one.
 */
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
