import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { docker, runtimeImage } from "@plumbline/tools-stack";
import { build } from "esbuild";
import type { Role } from "./client.ts";

/** A container on network `edge` of a stack, which ends when its input does. */
export interface EdgeClient<T> {
  /** Ends its input. Resolves with what it reports. Rejects with its errors if it failed. */
  readonly end: () => Promise<T>;
}

/** Returns the values of `authorization` of the callers that a role acts as. */
export type CallersOf = (role: Role) => readonly string[];

/** Starts containers on network `edge`, one for each role. Disposing removes them. */
export class EdgeClients implements AsyncDisposable {
  readonly #project: string;
  readonly #folder: string;
  readonly #callersOf: CallersOf;
  readonly #names = new Set<string>();
  #started = 0;

  private constructor(project: string, folder: string, callersOf: CallersOf) {
    this.#project = project;
    this.#folder = folder;
    this.#callersOf = callersOf;
  }

  /** Builds their program. */
  static async open(project: string, callersOf: CallersOf): Promise<EdgeClients> {
    const folder = mkdtempSync(join(tmpdir(), "plumbline-edge-"));
    // Another user reads it in the container.
    chmodSync(folder, 0o755);
    await build({
      entryPoints: [join(import.meta.dirname, "client.ts")],
      outfile: join(folder, "client.mjs"),
      bundle: true,
      platform: "node",
      format: "esm",
      target: "node26",
      conditions: ["source"],
      logLevel: "error",
    });
    return new EdgeClients(project, folder, callersOf);
  }

  start<T>(role: Role, args: readonly string[] = []): EdgeClient<T> {
    const name = `${this.#project}-edge-${role.toLowerCase()}-${++this.#started}`;
    this.#names.add(name);
    const limits = ["--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges:true", "--pids-limit=64"];
    const room = ["--memory=512m", "--ulimit=nofile=20000:20000", `--volume=${this.#folder}:/client:ro`];
    const run = ["run", "--rm", "--interactive", `--name=${name}`, `--network=${this.#project}_edge`];
    const callers = `--env=CALLERS=${JSON.stringify(this.#callersOf(role))}`;
    const program = [runtimeImage, "/client/client.mjs", role, ...args];
    const child = spawn("docker", [...run, ...limits, ...room, callers, ...program], {
      stdio: ["pipe", "pipe", "pipe"],
    });
    const ended = Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
    // Awaited by `end` only, which may be called after a failure.
    ended.catch(() => {});
    return {
      end: async () => {
        child.stdin.end();
        const [out, complaint, [code]] = await ended;
        this.#names.delete(name);
        if (code !== 0) throw new Error(`${name} ended with ${code}:\n${complaint.trim()}`);
        return JSON.parse(out) as T;
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#names.size > 0) await docker(["rm", "--force", ...this.#names]).catch(() => {});
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
