import { existsSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Program } from "./competitors/program.ts";

/** The resources that a process may use. */
export interface Limits {
  /** 0.4 is two fifths of one core. */
  readonly cores?: number;
  readonly memoryMiB?: number;
}

/**
 * Short, so that a process that has used up its share is not stopped for long; the default period
 * stops it for up to 100 ms.
 */
const periodMicros = 10_000;
const enter = 'while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs" || exit 1; shift; done; shift; exec "$@"';
let made = 0;

/**
 * A control group of Linux for one process, of version 2 or 1. Throws without permission to create
 * one: only root has it.
 */
export class ControlGroup implements Disposable {
  readonly #folders: string[] = [];

  constructor({ cores, memoryMiB }: Limits, mount = "/sys/fs/cgroup") {
    const name = `plumbline-bench-${process.pid}-${++made}`;
    const bytes = (memoryMiB ?? 0) * 2 ** 20;
    const quota = Math.round((cores ?? 0) * periodMicros);
    if (existsSync(join(mount, "cgroup.controllers"))) {
      writeFileSync(join(mount, "cgroup.subtree_control"), "+cpu +memory");
      const folder = this.#make(join(mount, name));
      if (cores !== undefined) writeFileSync(join(folder, "cpu.max"), `${quota} ${periodMicros}`);
      if (memoryMiB !== undefined) writeFileSync(join(folder, "memory.max"), `${bytes}`);
      return;
    }
    if (cores !== undefined) {
      const folder = this.#make(join(mount, "cpu", name));
      writeFileSync(join(folder, "cpu.cfs_period_us"), `${periodMicros}`);
      writeFileSync(join(folder, "cpu.cfs_quota_us"), `${quota}`);
    }
    if (memoryMiB !== undefined) {
      writeFileSync(join(this.#make(join(mount, "memory", name)), "memory.limit_in_bytes"), `${bytes}`);
    }
  }

  /** Starts the program within the group. */
  holding(program: Program): Program {
    const args = ["-c", enter, "sh", ...this.#folders, "--", program.command, ...program.args];
    return { ...program, command: "/bin/sh", args };
  }

  /** Removes the group. Call it after the process has exited. */
  [Symbol.dispose](): void {
    for (const folder of this.#folders) rmdirSync(folder);
  }

  #make(folder: string): string {
    mkdirSync(folder);
    this.#folders.push(folder);
    return folder;
  }
}

/** Returns the reason why processes cannot be limited here, or undefined if they can. */
export function whyNoControlGroups(): string | undefined {
  try {
    using _ = new ControlGroup({ cores: 0.5, memoryMiB: 64 });
    return undefined;
  } catch (error) {
    return `processes cannot be held to a share of a core: ${error instanceof Error ? error.message : String(error)}; it takes Linux and root`;
  }
}
