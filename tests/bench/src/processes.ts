import { readdirSync, readFileSync } from "node:fs";

/**
 * Returns the user and system seconds of a process so far, including children that have exited
 * (proc_pid_stat(5): utime to cstime, in hundredths).
 */
export function cpuSecondsOf(pid: number): number {
  const ticks = statOf(pid).slice(11, 15).map(Number);
  return ticks.reduce((sum, count) => sum + count, 0) / 100;
}

/**
 * Returns the same including running children, for Postgres, which has a process for each
 * connection.
 */
export function cpuSecondsOfAll(pid: number): number {
  const children = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return children.reduce((sum, child) => sum + cpuSecondsOfChild(Number(child), pid), cpuSecondsOf(pid));
}

export function residentMiB(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024;
}

function cpuSecondsOfChild(pid: number, parent: number): number {
  try {
    return Number(statOf(pid)[1]) === parent ? cpuSecondsOf(pid) : 0;
  } catch {
    return 0; // It has exited since; its parent has its time.
  }
}

/**
 * Returns the fields from the process's state on: the name before it, in brackets, may hold
 * anything.
 */
function statOf(pid: number): string[] {
  return readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");
}
