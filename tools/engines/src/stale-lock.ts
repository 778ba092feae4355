import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, readlinkSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { EngineError } from "./engine-error.ts";

interface Lock {
  readonly pid: number;
  readonly port: string;
  /** starting, ready, stopping */
  readonly status: string;
}

/**
 * Looks at the lock file a running, or killed, server left in its data folder. Waits for one that is just stopping,
 * refuses where one runs. Returns the environment that lets PostgreSQL start where the lock names a process that is
 * something else by now: it only asks whether that number is alive, and numbers are used again.
 */
export async function passStaleLock(dataDir: string): Promise<Record<string, string>> {
  // A server whose parent was killed takes a moment to notice, and then to stop.
  const patience = { notice: Date.now() + 1000, stop: Date.now() + 30_000 };
  for (;;) {
    const lock = readLock(dataDir);
    if (lock === undefined || !isAlive(lock.pid)) return {};
    // What pg_ctl tells its server about its own parent: this number in the lock is not another server.
    if (!isServerOf(lock.pid, dataDir)) return { PG_GRANDPARENT_PID: String(lock.pid) };
    if (Date.now() > (lock.status === "stopping" ? patience.stop : patience.notice)) {
      throw new EngineError(
        "folder_in_use",
        `Another PostgreSQL (process ${lock.pid}, port ${lock.port}) is running on ${dataDir}. Stop it first (\`kill ${lock.pid}\`), or use another data folder.`,
      );
    }
    await sleep(20);
  }
}

function readLock(dataDir: string): Lock | undefined {
  try {
    const lines = readFileSync(join(dataDir, "postmaster.pid"), "utf8").split("\n");
    const pid = Math.abs(Number.parseInt(lines[0] ?? "", 10));
    return Number.isNaN(pid) ? undefined : { pid, port: lines[3] ?? "?", status: (lines[7] ?? "starting").trim() };
  } catch {
    return undefined; // Not there, or gone as we looked: nobody holds it.
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** A postmaster changes into its data folder; where the system does not say so, its name must do. */
function isServerOf(pid: number, dataDir: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === realpathSync(dataDir);
  } catch (error) {
    // Gone, or dead and not yet taken note of by its parent, as happens in containers.
    if ((error as NodeJS.ErrnoException).code === "ENOENT" && existsSync("/proc/self")) return false;
    try {
      return execFileSync("ps", ["-o", "command=", "-p", String(pid)], { encoding: "utf8" }).includes("postgres");
    } catch {
      return false;
    }
  }
}
