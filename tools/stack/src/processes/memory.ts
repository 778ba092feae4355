import { readdirSync, readFileSync } from "node:fs";

/**
 * Proportional set size in bytes of a process and everything it started: pages shared by n
 * processes count 1/n for each, so the sum over processes is what they really take. Linux only;
 * undefined elsewhere.
 */
export function proportionalSetSize(pid: number): number | undefined {
  const children = childrenByParent();
  if (children === undefined) return undefined;
  let bytes = 0;
  const left = [pid];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    bytes += ownSize(next);
    left.push(...(children.get(next) ?? []));
  }
  return bytes;
}

function ownSize(pid: number): number {
  try {
    const kilobytes = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1];
    return Number(kilobytes ?? 0) * 1_024;
  } catch {
    return 0; // It ended since the list was made.
  }
}

function childrenByParent(): Map<number, number[]> | undefined {
  let names: string[];
  try {
    names = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  } catch {
    return undefined;
  }
  const children = new Map<number, number[]>();
  for (const name of names) {
    try {
      // The command in parentheses may hold spaces, so fields are counted from its end.
      const fields = readFileSync(`/proc/${name}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
      const parent = Number(fields[1]);
      children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
    } catch {
      // It ended since the list was made.
    }
  }
  return children;
}
