import { ownServices } from "../services.ts";
import { table } from "./table.ts";

const mebibyte = 1_048_576;

/**
 * The budget of the containers that stay up, one of each: 192 MiB for a service of ours, 768 MiB
 * for all others.
 */
export const memoryBudget = (ownServices.length * 192 + 768) * mebibyte;

export interface MemoryUse {
  readonly name: string;
  /** Bytes that count against the limit. */
  readonly charged: number;
  readonly limit: number;
  /** Bytes; pages that processes share are counted for each. */
  readonly rss: number;
}

export function memoryReport(uses: readonly MemoryUse[], budget = memoryBudget): { text: string; ok: boolean } {
  const total = (of: (use: MemoryUse) => number) => uses.reduce((sum, use) => sum + of(use), 0);
  const limits = total((use) => use.limit);
  const unlimited = uses.filter((use) => use.limit === 0).map((use) => use.name);
  const rows = uses.map((use) => [use.name, mib(use.charged), use.limit === 0 ? "NONE" : mib(use.limit), mib(use.rss)]);
  const text = table(
    ["container", "memory", "limit", "RSS"],
    [...rows, ["together", mib(total((use) => use.charged)), mib(limits), ""]],
  );
  return { text, ok: unlimited.length === 0 && limits <= budget };
}

/** Bytes of what docker prints: "57.19MiB", "1.2GiB", "812KiB", "0B". */
export function parseBytes(text: string): number {
  const [, number, unit] = /^([\d.]+)\s*([KMG]i)?B$/.exec(text.trim()) ?? [];
  if (number === undefined) throw new Error(`docker printed ${JSON.stringify(text)} where a size was expected`);
  return Number(number) * ({ Ki: 1_024, Mi: mebibyte, Gi: 1_024 * mebibyte }[unit ?? ""] ?? 1);
}

function mib(bytes: number): string {
  return `${(bytes / mebibyte).toFixed(0)} MiB`;
}
