import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, readlinkSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { EngineError } from "./engine-error.ts";

interface Lock {
  readonly pid: number;
  readonly port: string;
  /** One of starting, ready, stopping. */
  readonly status: string;
}

/**
 * Reads the lock file that a running or killed server left in its data folder. Waits for a server
 * that is stopping, and throws if one runs. PostgreSQL only checks that the process of the lock is
 * alive, and process numbers are reused. So this function returns the environment that lets
 * PostgreSQL start if the number now belongs to another program.
 */
export async function passStaleLock(dataDir: string): Promise<Record<string, string>> {
  // A server whose parent was killed needs a moment to notice, and to stop. On a busy machine the
  // first takes seconds.
  const patience = { notice: Date.now() + 10_000, stop: Date.now() + 30_000 };
  for (;;) {
    const lock = readLock(dataDir);
    if (lock === undefined || !isAlive(lock.pid)) return {};
    // pg_ctl passes this to its server: the process with this number in the lock is not another
    // server.
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
    return undefined; // It does not exist, or was just removed: no server holds it.
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

/**
 * Returns true if the process is a postmaster. Its working folder is the data folder; if the system
 * does not show that, its name must be enough.
 */
function isServerOf(pid: number, dataDir: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === realpathSync(dataDir);
  } catch (error) {
    // It is gone, or a zombie, as happens in containers.
    if ((error as NodeJS.ErrnoException).code === "ENOENT" && existsSync("/proc/self")) return false;
    try {
      return execFileSync("ps", ["-o", "command=", "-p", String(pid)], { encoding: "utf8" }).includes("postgres");
    } catch {
      return false;
    }
  }
}
