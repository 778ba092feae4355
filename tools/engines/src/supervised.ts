import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { asIdentity, type Identity } from "./identity.ts";

export type SupervisedProcess = ChildProcessByStdio<Writable, null, Readable>;

/*
 * `exec` turns the shell into the server, so that our child is the server itself. Before that, the
 * shell starts a watcher that holds the other end of our pipe, which closes when this process ends
 * for any reason. A line on the pipe dismisses the watcher. A server that has ended dismisses it
 * too, since its owner may start it again. A second shell starts it, because a server counts the
 * end of a child that it did not start as a crash.
 */
const script = `
exec 3<&0
(
  (
    if read -r line <&3; then exit; fi
    kill -s "$1" $$ || exit
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
  /**
   * The signal for the process when this process has died: INT stops PostgreSQL cleanly, QUIT at
   * once.
   */
  readonly lastSignal: "INT" | "QUIT";
  /** A folder to remove after the process was stopped because this process died. */
  readonly removeFolder?: string | undefined;
}

/**
 * Starts a program that ends with this process, even after SIGKILL, in a process group that Ctrl-C
 * does not reach.
 */
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
  child.stdin.on("error", () => undefined); // The watcher is gone already.
  child.on("exit", () => child.stdin.end("dismissed\n"));
  return child;
}
