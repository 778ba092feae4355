import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { asIdentity, type Identity } from "./identity.ts";

export type SupervisedProcess = ChildProcessByStdio<Writable, null, Readable>;

/*
 * `exec` makes the shell the server, so that the child we have is the server itself. Before that the shell leaves a
 * watcher behind that holds the other end of our pipe: the pipe ends when this process does, however it died. A line
 * dismisses the watcher. It is started through a second shell because a server with a child it did not start counts
 * that child's end as a crash.
 */
const script = `
exec 3<&0
(
  (
    if read -r line <&3; then exit; fi
    kill -s "$1" $$
    if [ -n "$2" ]; then
      while kill -0 $$; do sleep 0.05; done
      rm -rf -- "$2"
    fi
  ) >/dev/null 2>&1 &
)
exec 3<&-
shift 2
exec "$@" </dev/null
`;

export interface SupervisedOptions {
  readonly environment: Readonly<Record<string, string>>;
  /** What the process gets when we are gone: INT stops PostgreSQL in order, QUIT at once. */
  readonly lastSignal: "INT" | "QUIT";
  /** Removed once the process ended because we did. */
  readonly removeFolder?: string | undefined;
}

/** Starts a program that ends when this process does, also after SIGKILL, and in a process group that Ctrl-C does not reach. */
export function spawnSupervised(
  identity: Identity,
  command: string,
  commandArgs: readonly string[],
  options: SupervisedOptions,
): SupervisedProcess {
  const { program, args, ids } = asIdentity(identity, "/bin/sh", [
    "-c",
    script,
    "sh",
    options.lastSignal,
    options.removeFolder ?? "",
    command,
    ...commandArgs,
  ]);
  const child = spawn(program, args, {
    ...ids,
    env: { ...process.env, LC_ALL: "C", ...options.environment },
    detached: true,
    stdio: ["pipe", "ignore", "pipe"],
  });
  child.stdin.on("error", () => undefined); // The watcher is gone: nobody is left to dismiss.
  child.on("exit", () => child.stdin.end("dismissed\n"));
  return child;
}
