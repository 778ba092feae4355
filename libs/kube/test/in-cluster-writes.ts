/**
 * Runs inside the network of a real cluster: writes, events, and the suite of leases, against the
 * API server behind a proxy with faults. `src/cluster.test.ts` starts it.
 */
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { within } from "@plumbline/concurrency";
import { eventually, proxyToApi } from "@plumbline/tools-engines";
import { Kube, kubeconfig, recordEvent, resourceOf, watchObjects } from "../src/index.ts";
import { leaseSuite } from "./lease-suite.ts";

const access = kubeconfig(process.env["KUBECONFIG"] ?? "");
const kube = new Kube({ access });
const namespaces = resourceOf("v1", "namespaces");
const namespace = `operator-kube-${process.pid}`;
await kube.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
after(() => kube.delete(namespaces, namespace));

const configMaps = resourceOf("v1", "configmaps", namespace);
const configMap = (name: string, data: object) => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data });

void describe("writes to a real API server", { timeout: 120_000 }, () => {
  void test("an apply creates, changes nothing when repeated, and removes what it gives no more", async () => {
    const manager = "first";
    const created = await kube.apply(configMaps, configMap("one", { a: "1", b: "2" }), { manager });
    const repeated = await kube.apply(configMaps, configMap("one", { a: "1", b: "2" }), { manager });
    assert.equal(repeated.metadata.resourceVersion, created.metadata.resourceVersion);
    const changed = await kube.apply(configMaps, configMap("one", { a: "1" }), { manager });
    assert.deepEqual(changed["data"], { a: "1" });
    assert.notEqual(changed.metadata.resourceVersion, created.metadata.resourceVersion);
  });

  void test("a field of another manager is a conflict without force, and stays if it is not given", async () => {
    await kube.apply(configMaps, configMap("two", { a: "1", b: "1" }), { manager: "first" });
    const taking = kube.apply(configMaps, configMap("two", { a: "2" }), { manager: "second" });
    await assert.rejects(taking, (error: Error) => {
      assert.equal((error as { code?: string }).code, "aborted");
      assert.match(error.message, /conflict with "first".*\.data\.a/s);
      return true;
    });
    const taken = await kube.apply(configMaps, configMap("two", { a: "2" }), { manager: "second", force: true });
    assert.deepEqual(taken["data"], { a: "2", b: "1" });
  });

  void test("a status is applied by itself", async () => {
    const services = resourceOf("v1", "services", namespace);
    const service = { apiVersion: "v1", kind: "Service", metadata: { name: "status" } };
    await kube.apply(services, { ...service, spec: { ports: [{ port: 80 }] } }, { manager: "first" });
    const condition = {
      type: "Tried",
      status: "True",
      reason: "Test",
      message: "",
      lastTransitionTime: "2026-01-01T00:00:00Z",
    };
    await kube.applyStatus(services, { ...service, status: { conditions: [condition] } }, { manager: "first" });
    const read = await kube.get(services, "status");
    assert.deepEqual((read["status"] as { conditions: unknown }).conditions, [condition]);
    assert.deepEqual((read["spec"] as { ports: [{ port: number }] }).ports[0].port, 80);
  });

  void test("a refused field is invalid_argument, and the message names it", async () => {
    const services = resourceOf("v1", "services", namespace);
    const wrong = { apiVersion: "v1", kind: "Service", metadata: { name: "wrong" }, spec: { ports: [{ port: 0 }] } };
    await assert.rejects(kube.apply(services, wrong, { manager: "first" }), {
      code: "invalid_argument",
      message: /spec\.ports\[0\]\.port/,
    });
  });

  void test("a replace with an old version is refused as a conflict", async () => {
    const created = await kube.create(configMaps, configMap("three", {}));
    await kube.replace(configMaps, { ...created, data: { a: "1" } });
    await assert.rejects(kube.replace(configMaps, created), { code: "aborted", reason: "KUBERNETES_CONFLICT" });
    await assert.rejects(kube.create(configMaps, configMap("three", {})), { code: "already_exists" });
  });

  void test("a delete is refused for another uid, and is done once", async () => {
    const created = await kube.create(configMaps, configMap("four", {}));
    await assert.rejects(kube.delete(configMaps, "four", { uid: "00000000-0000-0000-0000-000000000000" }), {
      code: "aborted",
    });
    await kube.delete(configMaps, "four", { uid: created.metadata.uid });
    await assert.rejects(kube.get(configMaps, "four"), { code: "not_found" });
    await kube.delete(configMaps, "four");
  });

  void test("an event is listed for its object, with a message cut to what the server takes", async () => {
    const about = await kube.create(configMaps, configMap("five", {}));
    const source = { controller: "plumbline.dev/test", instance: "pod-1" };
    const event = { type: "Warning", reason: "Tried", action: "Test", message: "ü".repeat(2_000) } as const;
    await recordEvent(kube, { ...about, apiVersion: "v1", kind: "ConfigMap" }, event, source);
    const { objects } = await kube.list(resourceOf("v1", "events", namespace));
    const found = objects.filter(({ involvedObject }) => (involvedObject as { name: string }).name === "five");
    assert.deepEqual(
      found.map(({ reason, type, message }) => [reason, type, (message as string).endsWith("üü…")]),
      [["Tried", "Warning", true]],
    );
  });

  void test("a check that throws before the bytes of a write leaves the server as it was", async () => {
    const guarded = kube.guarded(() => {
      throw new Error("not now");
    });
    await assert.rejects(guarded.create(configMaps, configMap("six", {})), /not now/);
    await assert.rejects(guarded.get(configMaps, "six"), { code: "not_found" });
  });
});

void describe("a watch of a real API server through faults", { timeout: 120_000 }, () => {
  for (const [fault, begin] of [
    ["cut", (proxy) => proxy.cut()],
    ["stalled", (proxy) => proxy.stall()],
    ["answered with 410", (proxy) => proxy.answer(410, (_, path) => path.includes("watch=true"))],
    ["answered with 429", (proxy) => proxy.answer(429)],
    ["answered with 500", (proxy) => proxy.answer(500)],
  ] as const satisfies readonly (readonly [string, (proxy: Awaited<ReturnType<typeof proxyToApi>>) => void])[]) {
    void test(`shows a change that was made while it was ${fault}`, async (t) => {
      const proxy = await proxyToApi(access);
      const through = new Kube({
        access: async () => ({ url: proxy.url, namespace }),
        timeoutMs: 1_000,
        watchMs: 3_000,
        graceMs: 1_000,
      });
      const stop = new AbortController();
      const name = `watched-${fault.replaceAll(/\W/g, "-")}`;
      let seen: unknown;
      const watching = (async () => {
        while (!stop.signal.aborted) {
          try {
            for await (const objects of watchObjects(through, configMaps, { signal: stop.signal })) {
              seen = objects.find(({ metadata }) => metadata.name === name)?.["data"];
            }
          } catch {
            await new Promise((resolve) => setTimeout(resolve, 200));
          }
        }
      })();
      t.after(async () => {
        stop.abort();
        await within(watching, { ms: 10_000, what: "the end of the watch" });
        await proxy[Symbol.asyncDispose]();
      });
      await kube.create(configMaps, configMap(name, { is: "old" }));
      await eventually(
        () => JSON.stringify(seen),
        (text) => text === '{"is":"old"}',
      );
      begin(proxy);
      await kube.apply(configMaps, configMap(name, { is: "new" }), { manager: "first", force: true });
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      proxy.restore();
      await eventually(
        () => JSON.stringify(seen),
        (text) => text === '{"is":"new"}',
      );
    });
  }
});

leaseSuite({ name: "a real API server", server: access, namespace });
