import { readdirSync, readFileSync } from "node:fs";

/** User and system seconds a process has taken so far, children that have ended included (proc_pid_stat(5): utime to cstime, in hundredths). */
export function cpuSecondsOf(pid: number): number {
  const ticks = statOf(pid).slice(11, 15).map(Number);
  return ticks.reduce((sum, count) => sum + count, 0) / 100;
}

/** The same with the children that run: of Postgres, each connection of which is a process. */
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
    return 0; // It has ended since: its parent has its time.
  }
}

/** From the process's state on: the name before it, in brackets, may hold anything. */
function statOf(pid: number): string[] {
  return readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");
}
