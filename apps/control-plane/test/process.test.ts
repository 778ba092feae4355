/** The process as it is deployed: started, changed, killed and stopped, with a real Envoy. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { eventually, freePort, startTestEnvoy, whyNoEnvoy } from "@plumbline/tools-engines";
import { answeredBy, startBackend, startLoad, total } from "./support.ts";

const skip = whyNoEnvoy() ?? false;

/** A control plane in a process of its own. It is killed at the end of the test. */
class ControlPlane implements Disposable {
  readonly child: ChildProcess;
  readonly lines: { readonly message: string }[] = [];
  readonly errors: Promise<string>;
  readonly exited: Promise<unknown[]>;

  constructor(file: string, port: number, opsPort = 0) {
    const main = join(import.meta.dirname, "../src/main.ts");
    this.child = spawn(process.execPath, ["-C", "source", main], {
      cwd: import.meta.dirname,
      env: {
        PATH: process.env["PATH"],
        CONTROL_PLANE_ROUTES_FILE: file,
        CONTROL_PLANE_RPC_HOST: "127.0.0.1",
        CONTROL_PLANE_RPC_PORT: String(port),
        CONTROL_PLANE_OPS_PORT: String(opsPort),
        CONTROL_PLANE_OPS_HOST: "127.0.0.1",
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

function folder(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), "control-plane-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

const documentOf = (port: number, endpoint: string) =>
  JSON.stringify({
    listeners: { main: { host: "127.0.0.1", port, routes: "main" } },
    clusters: { main: { endpoints: [endpoint] } },
    routes: { main: [{ rules: [{ to: "main" }] }] },
  });

for (const variant of ["sotw", "delta"] as const) {
  test(`Envoy over ${variant} ADS fails no request while the control plane is killed ten times`, {
    skip,
    timeout: 180_000,
  }, async () => {
    using temporary = folder();
    const file = join(temporary.path, "routes.yaml");
    await using a = await startBackend("a");
    await using b = await startBackend("b");
    const [rpcPort, port] = [await freePort(), await freePort()];
    const url = `http://127.0.0.1:${port}/`;
    writeFileSync(file, documentOf(port, a.endpoint));
    let controlPlane = new ControlPlane(file, rpcPort);
    try {
      await controlPlane.says("control-plane is listening");
      await using envoy = await startTestEnvoy({ controlPlanePort: rpcPort, variant });
      await answeredBy(url, "a");
      // The first response replaces the cluster that Envoy was started with.
      const removed = await envoy.stat("cluster_manager.cluster_removed");
      const failures: string[] = [];
      {
        await using load = startLoad(url);
        for (let round = 0; round < 10; round += 1) {
          controlPlane.child.kill("SIGKILL");
          await controlPlane.exited;
          controlPlane = new ControlPlane(file, rpcPort);
          await controlPlane.says("xDS client connected");
        }
        // A control plane without its document does not start, and takes nothing away.
        controlPlane.child.kill("SIGKILL");
        await controlPlane.exited;
        using lost = new ControlPlane(join(temporary.path, "missing.yaml"), rpcPort);
        assert.deepEqual(await lost.exited, [1, null]);
        assert.match(await lost.errors, /missing\.yaml/);
        failures.push(...load.failures);
        console.log(`${variant}: killed 11 times, ${total(load.answers)} requests, ${failures.length} failed`);
      }
      assert.deepEqual(failures, []);
      assert.equal(await envoy.stat("cluster_manager.cluster_removed"), removed);

      controlPlane = new ControlPlane(file, rpcPort);
      await controlPlane.says("xDS client connected");
      writeFileSync(file, documentOf(port, b.endpoint));
      await answeredBy(url, "b");
    } finally {
      controlPlane.child.kill("SIGKILL");
      await controlPlane.exited;
    }
  });
}

test("an invalid document is logged with its problems, and the last good one stays", { timeout: 60_000 }, async () => {
  using temporary = folder();
  const file = join(temporary.path, "routes.yaml");
  writeFileSync(file, documentOf(10_000, "127.0.0.1:1"));
  const opsPort = await freePort();
  using controlPlane = new ControlPlane(file, 0, opsPort);
  await controlPlane.says("control-plane is listening");
  writeFileSync(file, documentOf(10_000, "127.0.0.1").replace('"to":"main"', '"to":"mian"'));
  await controlPlane.says("routes not changed");
  const refused = controlPlane.lines.filter(({ message }) => message.startsWith("routes not changed"));
  assert.match(JSON.stringify(refused), /clusters.*host:port/);
  const ready = await fetch(`http://127.0.0.1:${opsPort}/readyz`);
  assert.equal(ready.status, 200);
  const metrics = await (await fetch(`http://127.0.0.1:${opsPort}/metrics`)).text();
  assert.match(metrics, /xds_nacks_total/);
  controlPlane.child.kill("SIGTERM");
  assert.deepEqual(await controlPlane.exited, [0, null]);
  assert.equal(await controlPlane.errors, "");
});
