/** A real Envoy as the client, over both variants of the protocol. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { eventually, freePort, startTestEnvoy, whyNoEnvoy } from "@plumbline/tools-engines";
import { resource, snapshot } from "@plumbline/xds";
import { answeredBy, startBackend, startControlPlane, startLoad, total } from "./support.ts";

const skip = whyNoEnvoy() ?? false;
const timeout = 180_000;

for (const variant of ["sotw", "delta"] as const) {
  describe(`Envoy over ${variant} ADS`, { skip }, () => {
    test("serves the routes of a document and follows its changes", { timeout }, async () => {
      await using a = await startBackend("a");
      await using b = await startBackend("b");
      await using controlPlane = await startControlPlane({ lingerMs: 200 });
      const port = await freePort();
      const document = (rules: unknown[]) => ({
        listeners: { main: { host: "127.0.0.1", port, routes: "main" } },
        clusters: { a: { endpoints: [a.endpoint] }, b: { endpoints: [b.endpoint] } },
        routes: { main: [{ rules }] },
      });
      controlPlane.put(document([{ prefix: "/b", to: "b" }, { to: "a" }]));
      await using _envoy = await startTestEnvoy({ controlPlanePort: controlPlane.port, variant });
      const url = `http://127.0.0.1:${port}`;
      await answeredBy(`${url}/`, "a");
      await answeredBy(`${url}/b`, "b");
      controlPlane.put(document([{ headers: { "x-canary": "yes" }, to: "b" }, { to: "a" }]));
      await answeredBy(`${url}/b`, "a");
      const canary = await fetch(url, { headers: { "x-canary": "yes" } });
      assert.equal(await canary.text(), "b");
    });

    test("fails no request while the settings of a cluster change 50 times", { timeout }, async () => {
      await using a = await startBackend("a");
      await using controlPlane = await startControlPlane();
      const port = await freePort();
      const document = (round: number) => ({
        listeners: { main: { host: "127.0.0.1", port, routes: "main" } },
        clusters: { a: { endpoints: [a.endpoint], connectTimeoutMs: 1_000 * (1 + round) } },
        routes: { main: [{ rules: [{ to: "a" }] }] },
      });
      controlPlane.put(document(0));
      await using envoy = await startTestEnvoy({ controlPlanePort: controlPlane.port, variant });
      const url = `http://127.0.0.1:${port}/`;
      await answeredBy(url, "a");
      const longestWarming: number[] = [];
      await using load = startLoad(url);
      for (let round = 1; round <= 50; round += 1) {
        controlPlane.put(document(round));
        const start = performance.now();
        // The new settings are in use, so the cluster has left the warming state.
        await eventually(
          () => envoy.admin("/config_dump?resource=dynamic_active_clusters"),
          (dump) => dump.includes(`"connect_timeout": "${1 + round}s"`),
          5_000,
        );
        longestWarming.push(performance.now() - start);
        // Requests meet each of the settings, however fast they change.
        const before = total(load.answers);
        await eventually(
          () => total(load.answers) + load.failures.length,
          (count) => count > before + 2,
        );
      }
      assert.equal(await envoy.stat("cluster_manager.warming_clusters"), 0);
      assert.deepEqual(load.failures, []);
      const longest = Math.max(...longestWarming);
      assert.ok(longest < 1_000, `a cluster took ${longest} ms`);
      console.log(`${variant}: 50 changes, ${total(load.answers)} requests, longest ${Math.round(longest)} ms`);
    });

    test("fails no request while a split changes 100 times, and keeps the split", { timeout }, async () => {
      await using a = await startBackend("a");
      await using b = await startBackend("b");
      await using controlPlane = await startControlPlane();
      const port = await freePort();
      const document = (weight: number) => ({
        listeners: { main: { host: "127.0.0.1", port, routes: "main" } },
        clusters: { a: { endpoints: [a.endpoint] }, b: { endpoints: [b.endpoint] } },
        routes: { main: [{ rules: [{ to: { a: 100 - weight, b: weight } }] }] },
      });
      controlPlane.put(document(10));
      await using envoy = await startTestEnvoy({ controlPlanePort: controlPlane.port, variant });
      const url = `http://127.0.0.1:${port}/`;
      await eventually(
        () =>
          fetch(url).then(
            ({ status }) => status,
            () => 0,
          ),
        (status) => status === 200,
      );
      await using load = startLoad(url);
      const times: number[] = [];
      const dump = "/config_dump?resource=dynamic_route_configs";
      for (let change = 1; change <= 100; change += 1) {
        const weight = change % 2 === 0 ? 10 : 50;
        const start = performance.now();
        controlPlane.put(document(weight));
        await eventually(
          () => envoy.admin(dump),
          (text) => new RegExp(`"b",\\s+"weight": ${weight}\\b`).test(text),
          5_000,
        );
        times.push(performance.now() - start);
      }
      load.clear();
      await eventually(
        () => total(load.answers),
        (count) => count >= 1_000,
        60_000,
      );
      const share = (100 * (load.answers.get("b") ?? 0)) / total(load.answers);
      assert.deepEqual(load.failures, []);
      assert.ok(Math.abs(share - 10) <= 3, `b got ${share} %`);
      const p99 = times.toSorted((x, y) => x - y)[98] ?? 0;
      assert.ok(p99 <= 1_000, `a change took ${p99} ms`);
      console.log(`${variant}: 100 changes, p99 ${Math.round(p99)} ms, b got ${share.toFixed(1)} %`);
    });

    test("is sent a route that it rejects once, and serves the last good one", { timeout }, async () => {
      await using a = await startBackend("a");
      await using b = await startBackend("b");
      await using controlPlane = await startControlPlane();
      const port = await freePort();
      const document = (to: string) => ({
        listeners: { main: { host: "127.0.0.1", port, routes: "main" } },
        clusters: { a: { endpoints: [a.endpoint] }, b: { endpoints: [b.endpoint] } },
        routes: { main: [{ rules: [{ to }] }] },
      });
      controlPlane.put(document("a"));
      await using envoy = await startTestEnvoy({ controlPlanePort: controlPlane.port, variant });
      const url = `http://127.0.0.1:${port}/`;
      await answeredBy(url, "a");

      // The schema would refuse this route, which has no virtual host's name.
      const { ledger } = controlPlane.publisher;
      const others = [...(ledger.effective?.values() ?? [])].filter(({ type }) => type !== "route");
      const invalid = new Uint8Array([0x0a, 4, ...Buffer.from("main"), 0x12, 2, 0x0a, 0]);
      controlPlane.publisher.put(snapshot([...others, resource("route", "main", invalid)]));
      const rejected = "http.main.rds.main.update_rejected";
      await eventually(
        () => envoy.stat(rejected),
        (count) => count > 0,
      );
      assert.deepEqual(ledger.rejected(), ["route/main"]);
      await answeredBy(url, "a");

      // A newcomer gets the last good one.
      await using _newcomer = await startTestEnvoy({ controlPlanePort: controlPlane.port, variant, id: "newcomer" });
      assert.equal(await envoy.stat(rejected), 1);

      const start = performance.now();
      controlPlane.put(document("b"));
      await answeredBy(url, "b", 1_000);
      console.log(`${variant}: fixed in ${Math.round(performance.now() - start)} ms`);
      assert.equal(await envoy.stat(rejected), 1);
    });

    test("answers within a second after each of 20 removals and additions of a cluster", { timeout }, async () => {
      await using a = await startBackend("a");
      await using b = await startBackend("b");
      await using controlPlane = await startControlPlane({ lingerMs: 50 });
      const port = await freePort();
      const document = (withB: boolean) => ({
        listeners: { main: { host: "127.0.0.1", port, routes: "main" } },
        clusters: { a: { endpoints: [a.endpoint] }, ...(withB && { b: { endpoints: [b.endpoint] } }) },
        routes: { main: [{ rules: [{ to: withB ? "b" : "a" }] }] },
      });
      controlPlane.put(document(true));
      await using envoy = await startTestEnvoy({ controlPlanePort: controlPlane.port, variant });
      const url = `http://127.0.0.1:${port}/`;
      await answeredBy(url, "b");
      await using load = startLoad(url);
      for (let round = 0; round < 20; round += 1) {
        controlPlane.put(document(false));
        await answeredBy(url, "a", 1_000);
        await eventually(
          () => envoy.admin("/clusters"),
          (text) => !text.includes("b::"),
          5_000,
        );
        controlPlane.put(document(true));
        await answeredBy(url, "b", 1_000);
      }
      assert.deepEqual(load.failures, []);
    });
  });
}
