import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { sleep, within } from "@plumbline/concurrency";
import { startFakeApi } from "../test/fake-api.ts";
import { Kube, type KubeOptions } from "./kube.ts";
import { watchObjects } from "./watch-objects.ts";

const path = "/api/v1/namespaces/shop/things";
const named = (name: string, resourceVersion: string) => ({ metadata: { name, resourceVersion } });

/** Opens an API server and a watch of it. `next` resolves with the names that the watch yields. */
async function open(t: TestContext, options: Partial<KubeOptions> = {}) {
  const api = await startFakeApi();
  const kube = new Kube({ access: async () => ({ url: api.url, namespace: "shop" }), ...options });
  const stop = new AbortController();
  t.after(async () => {
    stop.abort();
    await watch.return(undefined).catch(() => {});
    await api[Symbol.asyncDispose]();
  });
  const watch = watchObjects(kube, { path }, { signal: stop.signal });
  const next = async (): Promise<string> => {
    const { value } = await within(watch.next(), { ms: 10_000, what: "the next list" });
    return (value ?? []).map(({ metadata }: { readonly metadata: { readonly name: string } }) => metadata.name).join();
  };
  return { api, watch, next, stop };
}

void describe("a watch of objects", { timeout: 60_000 }, () => {
  void test("yields the list, and all objects after each change", async (t) => {
    const { api, next } = await open(t);
    api.objects = [named("a", "1")];
    assert.equal(await next(), "a");
    for (const { event, want } of [
      { event: { type: "ADDED", object: named("b", "2") }, want: "a,b" },
      { event: { type: "MODIFIED", object: named("b", "3") }, want: "a,b" },
      { event: { type: "DELETED", object: named("a", "4") }, want: "b" },
    ]) {
      const result = next();
      if (want === "a,b" && event.type === "ADDED") await api.watched();
      api.send(event);
      assert.equal(await result, want);
    }
    assert.equal(api.requests.length, 2);
  });

  void test("goes on from the version of the last event or bookmark when the server ends it", async (t) => {
    const { api, next } = await open(t);
    await next();
    const result = next();
    await api.watched();
    api.send({ type: "BOOKMARK", object: { metadata: { resourceVersion: "7" } } });
    await sleep(50);
    api.end();
    await api.watched();
    api.send({ type: "ADDED", object: named("a", "8") });
    assert.equal(await result, "a");
    assert.deepEqual(
      api.requests.map(({ query }) => query.get("resourceVersion")),
      [null, "1", "7"],
    );
  });

  void test("goes on when its connection is cut", async (t) => {
    const { api, next } = await open(t);
    await next();
    const result = next();
    await api.watched();
    api.cut();
    await api.watched();
    api.send({ type: "ADDED", object: named("a", "8") });
    assert.equal(await result, "a");
  });

  void test("is cut and begins again when the server is silent", async (t) => {
    const { api, next } = await open(t, { watchMs: 300, graceMs: 200 });
    await next();
    const result = next();
    await api.watched();
    await api.watched();
    api.send({ type: "ADDED", object: named("a", "8") });
    assert.equal(await result, "a");
  });

  void test("lists again when the server has forgotten the version, in an event or a status", async (t) => {
    const { api, next } = await open(t);
    await next();
    const first = next();
    await api.watched();
    api.objects = [named("b", "9")];
    api.version = "9";
    api.send({ type: "ERROR", object: { kind: "Status", code: 410, message: "too old resource version" } });
    assert.equal(await first, "b");
    const second = next();
    await api.watched();
    api.watchStatus = 410;
    api.objects = [named("c", "12")];
    api.end();
    assert.equal(await second, "c");
  });

  void test("sends at most one request a second after its list, however fast the server ends it", async (t) => {
    const { api, next } = await open(t);
    await next();
    const result = next();
    result.catch(() => {});
    for (let i = 0; i < 4; i++) {
      await api.watched();
      api.end();
    }
    const watches = api.requests.filter(({ isWatch }) => isWatch).map(({ at }) => at);
    for (const [index, at] of watches.slice(1).entries()) {
      assert.ok(at - (watches[index] ?? 0) >= 950, `${at - (watches[index] ?? 0)} ms`);
    }
  });

  void test("fails when the server refuses, with the reason and the next step", async (t) => {
    const { api, watch } = await open(t);
    api.status = 403;
    await assert.rejects(watch.next(), {
      code: "permission_denied",
      message: `GET ${api.url}${path}: refused with 403; the role needs the verbs list and watch`,
    });
  });

  void test("fails when the server does not answer its list in time", async (t) => {
    const { api, watch } = await open(t, { timeoutMs: 200 });
    api.isSilent = true;
    await assert.rejects(watch.next(), { code: "unavailable", message: /no answer within 200 ms/ });
  });

  for (const { name, text, code } of [
    { name: "an event that is no JSON", text: "{\n", code: "internal" },
    { name: "an event of an unknown type", text: '{"type":"GREETED","object":{}}\n', code: "internal" },
    { name: "an event above the bound", text: "x".repeat(2_000), code: "resource_exhausted" },
    {
      name: "an error other than 410",
      text: '{"type":"ERROR","object":{"code":500,"message":"etcd is away"}}\n',
      code: "unavailable",
    },
  ]) {
    void test(`fails for ${name}`, async (t) => {
      const { api, watch, next } = await open(t, { maxBytes: 1_000 });
      await next();
      const result = assert.rejects(watch.next(), { code });
      await api.watched();
      api.sendText(text);
      await within(result, { ms: 5_000, what: "the failure" });
    });
  }

  void test("ends with its signal, and leaves no connection", async (t) => {
    const { api, next, stop } = await open(t);
    await next();
    const result = assert.rejects(next(), { name: "AbortError" });
    await api.watched();
    stop.abort();
    await result;
    await until(() => !process.getActiveResourcesInfo().includes("TCPSocketWrap"));
  });
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(10);
}
