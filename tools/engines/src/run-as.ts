import { spawn } from "node:child_process";
import { EngineError } from "./engine-error.ts";
import { asIdentity, type Identity } from "./identity.ts";

/** Runs a program to its end. Its standard error becomes the message of the error. */
export async function runAs(
  identity: Identity,
  command: string,
  args: readonly string[],
  options: { environment?: Readonly<Record<string, string>>; input?: string } = {},
): Promise<void> {
  const { program, args: all, ids } = asIdentity(identity, command, args);
  const child = spawn(program, all, {
    ...ids,
    env: { ...process.env, LC_ALL: "C", ...options.environment },
    stdio: ["pipe", "ignore", "pipe"],
  });
  let complaint = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaint = (complaint + text).slice(-4000);
  });
  child.stdin.on("error", () => undefined); // It exited without reading; its exit code is handled below.
  child.stdin.end(options.input ?? "");
  const status = await new Promise<number | string>((settle, fail) => {
    child.on("error", fail);
    child.on("close", (code, signal) => settle(code ?? signal ?? "?"));
  }).catch((cause: unknown) => {
    throw cannotRun(command, String(cause), { cause });
  });
  if (status !== 0) throw explain(command, `${complaint.trim()} (exit ${status})`);
}

/** Returns the error for a program that could not run or failed, with what to do about it. */
export function explain(command: string, complaint: string): EngineError {
  const library =
    /error while loading shared libraries: (\S+):/.exec(complaint)?.[1] ??
    /Library not loaded: (\S+)/.exec(complaint)?.[1];
  if (library !== undefined) {
    return new EngineError(
      "missing_library",
      `${command} needs the library ${library}, which this system lacks. On Debian and Ubuntu: apt-get install libstdc++6 libatomic1; on Fedora: dnf install libstdc++ libatomic.`,
    );
  }
  return new EngineError("start_failed", `${command} failed: ${complaint}`);
}

function cannotRun(command: string, complaint: string, options: ErrorOptions): EngineError {
  return new EngineError(
    "unsupported_platform",
    `${command} does not run here (${complaint}). The programs are built for glibc, so not for Alpine, and the folder must not be mounted noexec.`,
    options,
  );
}
