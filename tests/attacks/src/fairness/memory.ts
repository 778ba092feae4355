import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { proportionalSetSize } from "@plumbline/tools-stack";
import { parse } from "yaml";

const mebibyte = 1_048_576;

/** A process of the stack. One that starts others counts with them. */
export interface Watched {
  readonly name: string;
  readonly pid: number;
}

/** Returns the memory limit of each container in docker-compose.yml, in bytes, by its name. */
export function composeLimits(root: string): ReadonlyMap<string, number> {
  const { services } = parse(readFileSync(join(root, "docker-compose.yml"), "utf8"), { merge: true }) as {
    readonly services: Readonly<Record<string, { readonly mem_limit?: string }>>;
  };
  return new Map(
    Object.entries(services).map(([name, { mem_limit: limit = "" }]) => {
      const mebibytes = /^(\d+)m$/.exec(limit)?.[1];
      if (mebibytes === undefined) throw new Error(`docker-compose.yml: ${name} has no mem_limit such as 192m`);
      return [name, Number(mebibytes) * mebibyte];
    }),
  );
}

/** The peak of each process's memory since this was made. Linux only. */
export class Peaks implements Disposable {
  readonly #processes: readonly Watched[];
  readonly #proportional = new Map<string, number>();
  readonly #timer: NodeJS.Timeout;

  constructor(processes: readonly Watched[]) {
    this.#processes = processes;
    // Sets the kernel's own peak back.
    for (const { pid } of processes) writeFileSync(`/proc/${pid}/clear_refs`, "5");
    this.#timer = setInterval(() => this.#sample(), 1_000);
    this.#sample();
  }

  /**
   * Returns bytes: the kernel's peak of RSS, in which pages of files that n processes share count
   * 1/n. For Postgres it is the largest sum over its processes that was seen.
   */
  of({ name, pid }: Watched): number {
    if (name === "postgres") return this.#proportional.get(name) ?? 0;
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const shares = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
    const kibibytes = (text: string, field: string) => Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(text)?.[1]);
    const ofOthers = kibibytes(status, "RssFile") - kibibytes(shares, "Pss_File");
    return (kibibytes(status, "VmHWM") - ofOthers) * 1_024;
  }

  #sample(): void {
    for (const { name, pid } of this.#processes.filter((one) => one.name === "postgres")) {
      this.#proportional.set(name, Math.max(this.#proportional.get(name) ?? 0, proportionalSetSize(pid) ?? 0));
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
