import type { Service } from "./systems.ts";

/**
 * Returns the number of operations so far by name: statements on Postgres, published batches. Only
 * our services count them.
 */
export async function operationsOf(services: readonly Service[]): Promise<Map<string, number>> {
  const all = new Map<string, number>();
  for (const { name, opsPort } of services) {
    if (opsPort === undefined) continue;
    const text = await (await fetch(`http://127.0.0.1:${opsPort}/metrics`)).text();
    const counted = /^(db_client_operation|message_publish)_duration_seconds_count\{([^}]*)\} (\d+)/gm;
    for (const [, metric, labels = "", count] of text.matchAll(counted)) {
      const operation = metric === "message_publish" ? "publish" : /operation="([^"]*)"/.exec(labels)?.[1];
      const key = `${name}: ${operation}`;
      all.set(key, (all.get(key) ?? 0) + Number(count));
    }
  }
  return all;
}
