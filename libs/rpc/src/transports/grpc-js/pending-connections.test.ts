import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { transportNames } from "../index.ts";

/** Opens a port that answers no connection: its owner is stopped and its backlog is full. */
async function silentPort(): Promise<{ port: number } & Disposable> {
  const script = `const server = require("node:net").createServer();
    server.listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => console.log(String(server.address().port)));`;
  const owner = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(owner.stdout, "data")) as [Buffer];
  const port = Number(line);
  owner.kill("SIGSTOP");
  const waiting: Socket[] = Array.from({ length: 4 }, () => connect(port, "127.0.0.1").on("error", () => {}));
  return {
    port,
    [Symbol.dispose]() {
      for (const socket of waiting) socket.destroy();
      owner.kill("SIGKILL");
    },
  };
}

function program(port: number, transport: string): ChildProcess {
  const script = `
    import { connect } from ${JSON.stringify(join(import.meta.dirname, "../../client/connect.ts"))};
    import { noTelemetry } from "@plumbline/telemetry";
    const options = { timeoutMs: 300, transport: "${transport}" };
    await using channel = await connect("127.0.0.1:${port}", noTelemetry, options);
    const error = await channel.unary("/a/b", new Uint8Array()).catch((error) => error);
    console.log(error.code + " " + process.getActiveResourcesInfo().includes("ConnectWrap"));`;
  return spawn(process.execPath, ["-C", "source", "--input-type=module", "-e", script], {
    cwd: import.meta.dirname,
    stdio: ["ignore", "pipe", "inherit"],
  });
}

for (const transport of transportNames) {
  test(`a channel closed while it connects does not keep the process alive (${transport})`, async () => {
    using silent = await silentPort();
    const child = program(silent.port, transport);
    let output = "";
    child.stdout?.on("data", (text: Buffer) => (output += text));
    // The system abandons such an attempt after two minutes.
    const overdue = setTimeout(() => child.kill("SIGKILL"), 30_000);
    const [code] = (await once(child, "close")) as [number | null];
    clearTimeout(overdue);
    assert.equal(output, "deadline_exceeded true\n");
    assert.equal(code, 0, "it was still there after 30 s");
  });
}
