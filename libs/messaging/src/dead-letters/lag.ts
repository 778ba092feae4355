import type { Abortable } from "@plumbline/concurrency";
import type { GroupLag, Inspector } from "../inspect/inspector.ts";

/** The topic and the group whose lag is wanted. A field left out selects all. */
export interface LagFilter {
  readonly topic?: string | undefined;
  readonly group?: string | undefined;
}

/** The lag of one group in one topic, over all partitions. */
export interface LagSum {
  readonly topic: string;
  readonly group: string;
  readonly lag: bigint;
}

/** Returns the lag of every selected group in each partition. `not_found`: no such topic. */
export async function groupLags(
  inspector: Inspector,
  { topic, group }: LagFilter,
  options: Abortable = {},
): Promise<GroupLag[]> {
  const topics = topic === undefined ? (await inspector.topics(options)).map(({ name }) => name) : [topic];
  const rows = await inspector.lag(topics, options);
  return rows.filter((row) => group === undefined || row.group === group);
}

/** Adds up the partitions of each topic and group, in the order of the rows. */
export function sumLags(rows: readonly GroupLag[]): LagSum[] {
  const sums = new Map<string, LagSum>();
  for (const { topic, group, lag } of rows) {
    const name = JSON.stringify([topic, group]);
    sums.set(name, { topic, group, lag: (sums.get(name)?.lag ?? 0n) + lag });
  }
  return [...sums.values()];
}
