/** Runs the interop programs of grpc-go on loopback. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { promisify } from "node:util";
import { freePort } from "@plumbline/tools-engines";
import { interopProgram } from "@plumbline/tools-go";

const run = promisify(execFile);

/** Runs one case against our server. Rejects with the program's output if the case fails. */
export async function goClient(testCase: string, port: number, flags: readonly string[] = []): Promise<void> {
  const usual = ["-server_host=127.0.0.1", `-server_port=${port}`, `-test_case=${testCase}`];
  await run(interopProgram("interop-client"), [...usual, ...flags], { timeout: 30_000 });
}

export async function startGoServer(): Promise<AsyncDisposable & { readonly port: number }> {
  const port = await freePort();
  const child: ChildProcess = spawn(interopProgram("interop-server"), [`-port=${port}`], { stdio: "ignore" });
  const exited = once(child, "exit");
  return {
    port,
    async [Symbol.asyncDispose]() {
      child.kill();
      await exited;
    },
  };
}
