import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { Kube } from "@plumbline/kube";
import { eventually } from "@plumbline/tools-engines";
import { type FakeSecrets, startFakeSecrets } from "../../test/fake-secrets.ts";
import { deliverSecrets } from "./deliver-secrets.ts";
import { serveVersions } from "./serve-versions.ts";

const deliveries = [
  { name: "tls", secretRef: "orders-tls" },
  { name: "database", secretRef: "orders-database" },
];

async function open(t: TestContext) {
  const api = await startFakeSecrets();
  const root = mkdtempSync(join(tmpdir(), "plumbline-agent-"));
  t.after(async () => {
    await api[Symbol.asyncDispose]();
    rmSync(root, { recursive: true });
  });
  return { api, root, read: (path: string) => eventually(() => textOf(join(root, path)), Boolean) };
}

/** Starts an agent. The test ends it, or a call of `stop` does before. */
async function start(t: TestContext, { api, root }: { readonly api: FakeSecrets; readonly root: string }) {
  const stopping = new AbortController();
  const versions = new Map<string, string>();
  const names = deliveries.map(({ name }) => name);
  const server = await serveVersions(0, names, versions);
  const kube = new Kube({ access: async () => ({ url: api.url, namespace: "shop" }) });
  const options = { kube, namespace: "shop", deliveries, root, versions, log: () => undefined };
  const running = deliverSecrets({ ...options, signal: stopping.signal }).catch((error: unknown) => {
    if (!stopping.signal.aborted) throw error;
  });
  const stop = async () => {
    stopping.abort();
    await running;
    await server[Symbol.asyncDispose]();
  };
  t.after(stop);
  const ask = async () => {
    const response = await fetch(`http://127.0.0.1:${server.port}/`);
    return { status: response.status, ...((await response.json()) as { versions: Readonly<Record<string, string>> }) };
  };
  return { ask, stop };
}

void describe("an agent that writes Secrets to files", { timeout: 120_000 }, () => {
  void test("is ready once all of its Secrets are written, and asks for no other", async (t) => {
    const { api, root, read } = await open(t);
    const tls = api.put("orders-tls", { "tls.crt": "certificate", "tls.key": "key" });
    api.put("other", { password: "of somebody else" });
    const { ask } = await start(t, { api, root });
    assert.equal(await read("tls/tls.crt"), "certificate");
    const early = await eventually(ask, ({ versions }) => versions["tls"] !== undefined);
    assert.deepEqual(early, { status: 503, versions: { tls } });
    const database = api.put("orders-database", { url: "postgresql://" });
    const ready = await eventually(ask, ({ status }) => status === 200);
    assert.deepEqual(ready.versions, { tls, database });
    assert.equal(await read("database/url"), "postgresql://");
    assert.deepEqual([...api.asked].toSorted(), ["orders-database", "orders-tls"]);
    assert.deepEqual(readdirSync(root).toSorted(), ["database", "tls"]);
  });

  void test("follows changes, and says which version the files have", async (t) => {
    const { api, root } = await open(t);
    for (const { secretRef } of deliveries) api.put(secretRef, { key: "1" });
    const { ask } = await start(t, { api, root });
    await eventually(ask, ({ status }) => status === 200);
    for (let rotation = 2; rotation <= 4; rotation++) {
      const version = api.put("orders-tls", { key: `${rotation}` });
      await eventually(ask, ({ versions }) => versions["tls"] === version);
      assert.equal(textOf(join(root, "tls/key")), `${rotation}`);
    }
    assert.equal(textOf(join(root, "database/key")), "1");
  });

  void test("keeps the files of a Secret that is deleted, and follows the one that replaces it", async (t) => {
    const { api, root } = await open(t);
    for (const { secretRef } of deliveries) api.put(secretRef, { key: "1" });
    const { ask } = await start(t, { api, root });
    await eventually(ask, ({ status }) => status === 200);
    api.delete("orders-tls");
    const other = api.put("orders-database", { key: "2" });
    await eventually(ask, ({ versions }) => versions["database"] === other);
    assert.equal(textOf(join(root, "tls/key")), "1");
    const again = api.put("orders-tls", { key: "3" });
    await eventually(ask, ({ versions }) => versions["tls"] === again);
    assert.equal(textOf(join(root, "tls/key")), "3");
  });

  void test("keeps the files while the API server is away, and then has what was missed", async (t) => {
    const { api, root } = await open(t);
    for (const { secretRef } of deliveries) api.put(secretRef, { key: "1" });
    const { ask } = await start(t, { api, root });
    await eventually(ask, ({ status }) => status === 200);
    api.status = 500;
    api.cut();
    const missed = api.put("orders-tls", { key: "2" });
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.equal((await ask()).status, 200);
    assert.equal(textOf(join(root, "tls/key")), "1");
    api.status = 200;
    await eventually(ask, ({ versions }) => versions["tls"] === missed, 60_000);
    assert.equal(textOf(join(root, "tls/key")), "2");
  });

  void test("leaves the files of an agent before it alone, unless the Secret has changed meanwhile", async (t) => {
    const { api, root } = await open(t);
    for (const { secretRef } of deliveries) api.put(secretRef, { key: "1" });
    const first = await start(t, { api, root });
    await eventually(first.ask, ({ status }) => status === 200);
    await first.stop();
    const link = () => deliveries.map(({ name }) => readlinkSync(join(root, name, "..data")));
    const [tls, database] = link();
    api.put("orders-tls", { key: "2" });
    const second = await start(t, { api, root });
    await eventually(second.ask, ({ status }) => status === 200);
    assert.notEqual(link()[0], tls);
    assert.equal(link()[1], database);
  });
});

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
