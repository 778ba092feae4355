import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { checkPostgres, type EtcdProgram, findEtcd, mavenProblem } from "@plumbline/tools-engines";
import type { Ports } from "../ports.ts";
import { type BusyPort, busyPorts } from "../processes/preflight.ts";

/** The parts of a machine that the checks look at. Tests replace them one by one. */
export interface Machine {
  readonly root: string;
  readonly dataDir: string;
  readonly ports: Ports;
  readonly platform: NodeJS.Platform;
  readonly environment: NodeJS.ProcessEnv;
  readonly nodeVersion: string;
  readonly exists: (path: string) => boolean;
  /**
   * Returns what a program printed, undefined where it is not there. Rejects when it fails or does
   * not answer.
   */
  readonly run: (program: string, ...args: readonly string[]) => Promise<string | undefined>;
  /** The bytes that may be written to a folder's disk. */
  readonly freeDisk: (folder: string) => Promise<number>;
  /** The bytes of memory that may be taken. */
  readonly availableMemory: number;
  /** The preflight of `npm start`. */
  readonly busyPorts: (ports: Partial<Ports>) => Promise<readonly BusyPort[]>;
  readonly postgres: (dataDir: string) => Promise<string>;
  readonly maven: () => string | undefined;
  readonly etcd: () => EtcdProgram | undefined;
}

const answerMs = 1_500;

export function thisMachine(root: string, dataDir: string, ports: Ports): Machine {
  return {
    root,
    dataDir,
    ports,
    platform: process.platform,
    environment: process.env,
    nodeVersion: process.versions.node,
    exists: (path) => existsSync(join(root, path)),
    run: async (program, ...args) => {
      try {
        const { stdout, stderr } = await promisify(execFile)(program, args, { timeout: answerMs, cwd: root });
        return (stdout + stderr).trim();
      } catch (error) {
        const { code, killed } = error as { code?: unknown; killed?: boolean };
        if (code === "ENOENT") return undefined;
        if (killed === true) throw new Error(`${program} did not answer within ${answerMs} ms`, { cause: error });
        throw error;
      }
    },
    freeDisk: async (folder) => {
      const { bavail, bsize } = await statfs(folder);
      return bavail * bsize;
    },
    availableMemory: process.availableMemory(),
    busyPorts,
    postgres: checkPostgres,
    maven: mavenProblem,
    etcd: () => findEtcd(),
  };
}
