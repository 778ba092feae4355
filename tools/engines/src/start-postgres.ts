import { chmod } from "node:fs/promises";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import type { Binaries } from "./binaries.ts";
import { planPostgres } from "./check-postgres.ts";
import { initialise } from "./data-folder.ts";
import { EngineError } from "./engine-error.ts";
import type { Identity } from "./identity.ts";
import { explain, runAs } from "./run-as.ts";
import { passStaleLock } from "./stale-lock.ts";
import { keptPassword, newPassword, setPassword } from "./superuser-password.ts";
import { type SupervisedProcess, spawnSupervised } from "./supervised.ts";

export interface PostgresOptions {
  /** The data folder, created if it does not exist, and kept at the end. */
  readonly dataDir: string;
  /** The port, on 127.0.0.1 only. */
  readonly port: number;
  /** The superuser, "postgres" by default. Used when the folder is created. */
  readonly user?: string | undefined;
  /**
   * The superuser's password. Without one a new folder gets a random one, which it keeps in a file
   * that only the server's user may read. Used when the folder is created.
   */
  readonly password?: string | undefined;
  /** Each line of the server's log. */
  readonly onLog?: ((line: string) => void) | undefined;
  /** Server settings: { max_connections: 50 }. */
  readonly settings?: Readonly<Record<string, string | number | boolean>> | undefined;
}

export interface PostgresServer extends AsyncDisposable {
  /** The URL of the superuser, on the database "postgres". */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Resolves when the server has ended, for whatever reason. */
  readonly exited: Promise<void>;
}

const startTimeoutMs = 60_000; // Recovery after a kill replays the log, at most max_wal_size of it.

/**
 * Starts the PostgreSQL that npm installed, as root or as a normal user, and resolves once it
 * accepts connections. Disposing stops it cleanly. The server also stops if this process dies, even
 * by SIGKILL. A folder recovers after a kill. Throws EngineError with what to do about it.
 */
export async function startPostgres(options: PostgresOptions): Promise<PostgresServer> {
  const dataDir = resolve(options.dataDir);
  const { binaries, state, identity } = planPostgres(dataDir);
  const user = options.user ?? "postgres";
  const lock = state === "ready" ? await passStaleLock(dataDir) : {};
  if (state === "absent") {
    await initialise(dataDir, binaries, identity, { user, password: options.password ?? newPassword() });
  } else await adopt(dataDir, identity);
  const password =
    options.password ?? (await keptPassword(dataDir)) ?? (await setPassword(dataDir, binaries, identity, user));
  const complete = { ...options, dataDir, user, password };
  return await launch(binaries, identity, complete, { environment: lock, lastSignal: "INT" });
}

export interface LaunchOptions {
  readonly environment: Readonly<Record<string, string>>;
  readonly lastSignal: "INT" | "QUIT";
  readonly removeFolder?: string;
}

/** Starts the server on a folder that is ready. */
export async function launch(
  binaries: Binaries,
  identity: Identity,
  options: PostgresOptions & { readonly user: string; readonly password: string },
  launchOptions: LaunchOptions,
): Promise<PostgresServer & { readonly process: SupervisedProcess }> {
  const settings = { listen_addresses: "127.0.0.1", unix_socket_directories: "", ...options.settings };
  const args = ["-D", options.dataDir, "-p", String(options.port)];
  for (const [name, value] of Object.entries(settings)) args.push("-c", `${name}=${value}`);

  const child = spawnSupervised(identity, binaries.postgres, args, {
    ...launchOptions,
    environment: { ...binaries.environment, ...launchOptions.environment },
  });
  const exited = new Promise<void>((settle) => {
    child.once("exit", () => settle());
    child.once("error", () => settle());
  });
  try {
    await accepting(child, options, binaries.postgres);
  } catch (error) {
    child.kill("SIGKILL");
    await exited;
    throw error;
  }

  const login = `${encodeURIComponent(options.user)}:${encodeURIComponent(options.password)}`;
  return {
    url: `postgresql://${login}@127.0.0.1:${options.port}/postgres`,
    port: options.port,
    pid: child.pid ?? 0,
    process: child,
    exited,
    [Symbol.asyncDispose]: async () => {
      const stop = launchOptions.lastSignal;
      child.kill(`SIG${stop}`);
      // First a clean stop, which waits for a checkpoint; then a fast one; then SIGKILL.
      const timers = (["SIGQUIT", "SIGKILL"] as const).map((signal, step) =>
        setTimeout(() => child.kill(signal), 10_000 + 5000 * step),
      );
      await exited;
      timers.forEach(clearTimeout);
    },
  };
}

/** Waits for the log line of a ready server. The log must go to standard error until then. */
async function accepting(child: SupervisedProcess, options: PostgresOptions, command: string): Promise<void> {
  const lines = createInterface({ input: child.stderr });
  let last: string[] = [];
  await new Promise<void>((ready, fail) => {
    const timer = setTimeout(
      () => fail(explain(command, `not ready after ${startTimeoutMs / 1000} s:\n${last.join("\n")}`)),
      startTimeoutMs,
    );
    lines.on("line", (line) => {
      last = [...last.slice(-19), line];
      options.onLog?.(line);
      if (line.includes("database system is ready to accept connections")) {
        clearTimeout(timer);
        last = [];
        ready();
      }
    });
    child.once("error", (cause) => fail(explain(command, String(cause))));
    // "close", not "exit": by then all of its output has been read.
    child.once("close", () => {
      clearTimeout(timer);
      fail(whyNot(command, options, last.join("\n")));
    });
  });
}

function whyNot(command: string, options: PostgresOptions, log: string): EngineError {
  if (log.includes("Address already in use")) {
    return new EngineError(
      "port_taken",
      `Port ${options.port} on 127.0.0.1 is taken by another program. Stop that one, or choose another port.`,
    );
  }
  if (log.includes("ermission denied") || log.includes("wrong ownership") || log.includes("ead-only file system")) {
    return new EngineError(
      "folder_unwritable",
      `The data folder ${options.dataDir} cannot be written by this user. Give it to the user who starts PostgreSQL (chown -R), or choose another.\n${log}`,
    );
  }
  return explain(command, log);
}

/**
 * Closes the folder to other users: PostgreSQL refuses an open one, such as a copy or a restored
 * backup.
 */
async function adopt(dataDir: string, identity: Identity): Promise<void> {
  // Without permission to change it, PostgreSQL reports the fault.
  await chmod(dataDir, 0o700).catch(() => undefined);
  if (process.getuid?.() !== 0) return;
  const owner = `${identity.uid ?? 0}:${identity.gid ?? 0}`;
  await runAs({ prefix: [] }, "chown", ["-R", owner, dataDir]);
}
