import { readFileSync } from "node:fs";

/** The signs of other work on the machine during one measurement. */
export interface Surroundings {
  /** The share of the machine's time that its hypervisor took. */
  readonly steal: number;
  /** The mean number of threads that ran or waited for a core. */
  readonly queue: number;
  /** The time of a fixed spin loop, before or after the measurement; the longer one counts. */
  readonly spinMs: number;
}

/** A result, and what the machine did while it was measured. */
export interface Watched {
  readonly around: Surroundings;
}

const everyMs = 50;

/** Runs a measurement, and watches the machine meanwhile. */
export async function watched<T extends object>(measure: () => Promise<T>): Promise<T & Watched> {
  const before = spin();
  const [start, lengths] = [statistics(), [] as number[]];
  const timer = setInterval(() => lengths.push(statistics().running), everyMs);
  try {
    const result = await measure();
    const end = statistics();
    lengths.push(end.running);
    const ticks = Math.max(1, end.ticks - start.ticks);
    const queue = lengths.reduce((sum, length) => sum + length, 0) / lengths.length;
    return { ...result, around: { steal: (end.steal - start.steal) / ticks, queue, spinMs: Math.max(before, spin()) } };
  } finally {
    clearInterval(timer);
  }
}

const spins = 4_000_000;

/** Returns the time that a few milliseconds of arithmetic take. */
function spin(): number {
  const began = performance.now();
  let value = began | 0;
  for (let round = 0; round < spins; round++) value = (Math.imul(value, 1_664_525) + 1_013_904_223) | 0;
  return performance.now() - began + (value === 0 ? Number.EPSILON : 0); // The loop has a use.
}

/** Reads proc_stat(5): the ticks of all cores, those stolen, and the threads that run or wait. */
function statistics(): { readonly ticks: number; readonly steal: number; readonly running: number } {
  const text = readFileSync("/proc/stat", "utf8");
  // Guests' ticks, the last two, are those of users too.
  const ticks = (/^cpu +(.*)$/m.exec(text)?.[1] ?? "").split(" ").slice(0, 8).map(Number);
  const running = Number(/^procs_running (\d+)$/m.exec(text)?.[1] ?? 0);
  return { ticks: ticks.reduce((sum, count) => sum + count, 0), steal: ticks[7] ?? 0, running };
}
