import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { eventually } from "@plumbline/tools-engines";

/** A control plane in a process of its own. It is killed at the end of the test. */
export class ControlPlane implements Disposable {
  readonly child: ChildProcess;
  readonly lines: { readonly message: string }[] = [];
  readonly errors: Promise<string>;
  readonly exited: Promise<unknown[]>;

  constructor(port: number, settings: Readonly<Record<string, string>>) {
    const main = join(import.meta.dirname, "../src/main.ts");
    this.child = spawn(process.execPath, ["-C", "source", main], {
      cwd: import.meta.dirname,
      env: {
        PATH: process.env["PATH"],
        CONTROL_PLANE_RPC_HOST: "127.0.0.1",
        CONTROL_PLANE_RPC_PORT: String(port),
        CONTROL_PLANE_OPS_PORT: "0",
        CONTROL_PLANE_OPS_HOST: "127.0.0.1",
        ...settings,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const { stdout, stderr } = this.child;
    assert.ok(stdout && stderr);
    this.errors = text(stderr);
    this.exited = once(this.child, "close");
    createInterface({ input: stdout }).on("line", (json) => this.lines.push(JSON.parse(json)));
  }

  /** Waits for a line of its log that begins so. */
  async says(message: string): Promise<void> {
    await eventually(
      () => this.lines.map((line) => line.message),
      (all) => all.some((one) => one.startsWith(message)),
    );
  }

  [Symbol.dispose](): void {
    this.child.kill("SIGKILL");
  }
}
