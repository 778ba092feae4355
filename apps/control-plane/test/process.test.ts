/** The process as it is deployed: started, changed, killed and stopped, with a real Envoy. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { freePort, startTestEnvoy, whyNoEnvoy } from "@plumbline/tools-engines";
import { startProcess } from "./process.ts";
import { answeredBy, startBackend, startLoad, total } from "./support.ts";

const skip = whyNoEnvoy() ?? false;

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
    let controlPlane = startProcess(rpcPort, { CONTROL_PLANE_ROUTES_FILE: file });
    try {
      await controlPlane.logged("control-plane is listening");
      await using envoy = await startTestEnvoy({ controlPlanePort: rpcPort, variant });
      await answeredBy(url, "a");
      // The first response replaces the cluster that Envoy was started with.
      const removed = await envoy.stat("cluster_manager.cluster_removed");
      const failures: string[] = [];
      {
        await using load = startLoad(url);
        for (let round = 0; round < 10; round += 1) {
          await controlPlane.end("SIGKILL");
          controlPlane = startProcess(rpcPort, { CONTROL_PLANE_ROUTES_FILE: file });
          await controlPlane.logged("xDS client connected");
        }
        // A control plane without its document does not start, and takes nothing away.
        await controlPlane.end("SIGKILL");
        await using lost = startProcess(rpcPort, { CONTROL_PLANE_ROUTES_FILE: join(temporary.path, "missing.yaml") });
        assert.deepEqual(await lost.exited, [1, null]);
        assert.match(lost.output(), /missing\.yaml/);
        failures.push(...load.failures);
        console.log(`${variant}: killed 11 times, ${total(load.answers)} requests, ${failures.length} failed`);
      }
      assert.deepEqual(failures, []);
      assert.equal(await envoy.stat("cluster_manager.cluster_removed"), removed);

      controlPlane = startProcess(rpcPort, { CONTROL_PLANE_ROUTES_FILE: file });
      await controlPlane.logged("xDS client connected");
      writeFileSync(file, documentOf(port, b.endpoint));
      await answeredBy(url, "b");
    } finally {
      await controlPlane.end("SIGKILL");
    }
  });
}

test("an invalid document is logged with its problems, and the last good one stays", { timeout: 60_000 }, async () => {
  using temporary = folder();
  const file = join(temporary.path, "routes.yaml");
  writeFileSync(file, documentOf(10_000, "127.0.0.1:1"));
  const opsPort = await freePort();
  await using controlPlane = startProcess(0, {
    CONTROL_PLANE_ROUTES_FILE: file,
    CONTROL_PLANE_OPS_PORT: String(opsPort),
  });
  await controlPlane.logged("control-plane is listening");
  writeFileSync(file, documentOf(10_000, "127.0.0.1").replace('"to":"main"', '"to":"mian"'));
  await controlPlane.logged("routes not changed");
  const refused = controlPlane.lines("routes not changed");
  assert.match(JSON.stringify(refused), /clusters.*host:port/);
  const ready = await fetch(`http://127.0.0.1:${opsPort}/readyz`);
  assert.equal(ready.status, 200);
  const metrics = await (await fetch(`http://127.0.0.1:${opsPort}/metrics`)).text();
  assert.match(metrics, /xds_nacks_total/);
  assert.deepEqual(await controlPlane.end("SIGTERM"), [0, null]);
});
