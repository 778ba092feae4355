import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { chmod, chown, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Client } from "pg";

/** Creates a folder for one test, open to all users unless `mode` says otherwise. */
export async function temporaryFolder(mode = 0o777): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "plumbline-engines-"));
  await chmod(path, mode);
  return { path, [Symbol.asyncDispose]: async () => await rm(path, { recursive: true, force: true, maxRetries: 20 }) };
}

export async function ask<R = Record<string, unknown>>(url: string, sql: string): Promise<R[]> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5000 });
  client.on("error", () => undefined);
  try {
    await client.connect();
    return (await client.query(sql)).rows as R[];
  } finally {
    await client.end();
  }
}

export interface Said {
  readonly url?: string;
  readonly pid?: number;
  readonly error?: string;
  readonly code?: string;
}

export interface ChildOptions {
  readonly user?: { readonly uid: number; readonly gid: number } | undefined;
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/** Starts `child.ts` and resolves with its output. Disposing kills it. */
export async function startChild(args: readonly string[], { user, environment = {} }: ChildOptions = {}) {
  const script = fileURLToPath(new URL("child.ts", import.meta.url));
  const env = { ...process.env, TEST_POSTGRES_URL: undefined, ...environment };
  const child = spawn(process.execPath, [script, ...args], { ...user, env, stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise<number | string>((done) =>
    child.once("exit", (code, signal) => done(code ?? signal ?? "?")),
  );
  const said = await new Promise<Said>((first, fail) => {
    createInterface({ input: child.stdout }).once("line", (line) => first(JSON.parse(line) as Said));
    void ended.then((status) => fail(new Error(`it ended (${status}) without output`)));
  });
  return {
    child: child as ChildProcess,
    said,
    ended,
    [Symbol.asyncDispose]: async () => void (child.kill("SIGKILL"), await ended),
  };
}

export function isAlive(pid: number | undefined): boolean {
  if (pid === undefined) throw new Error("no process");
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
  // A zombie: in a container its parent may never collect it.
  const state = existsSync("/proc/self") ? readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, "") : "";
  return !state.startsWith("Z");
}

export async function eventually(what: string, ask: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpAt = Date.now() + 20_000;
  while (!(await ask())) {
    if (Date.now() > giveUpAt) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/**
 * Returns false when a user can run and read this clone, or else the reason why not: as root in a
 * folder like /root, which others may not enter.
 */
export function whyOutOfReach(user: ChildOptions["user"]): string | false {
  const files = [process.execPath, fileURLToPath(new URL("child.ts", import.meta.url))];
  const isReached = files.every((file) => spawnSync("test", ["-r", file], { ...user, cwd: "/" }).status === 0);
  return isReached
    ? false
    : `NOT TESTED: user ${user?.uid} cannot enter the folder of this clone; move it where others may`;
}

export const isRoot = process.getuid?.() === 0;

/** Gives a folder to a normal user. */
export async function give(path: string, user: { readonly uid: number; readonly gid: number }): Promise<void> {
  await chown(path, user.uid, user.gid);
}
