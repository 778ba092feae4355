import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { test } from "node:test";
import { type QuoteEvent, startSupplier } from "./start-supplier.ts";

interface Answer {
  readonly status: number;
  readonly contentType: string | null;
  // oxlint-disable-next-line typescript/no-explicit-any -- tests read whatever came
  readonly body: any;
}

async function get(url: string, init?: RequestInit): Promise<Answer> {
  const response = await fetch(url, { signal: AbortSignal.timeout(10_000), ...init });
  return { status: response.status, contentType: response.headers.get("content-type"), body: await response.json() };
}

function patch(url: string, body: unknown): Promise<Answer> {
  return get(`${url}/v1/settings`, { method: "PATCH", body: typeof body === "string" ? body : JSON.stringify(body) });
}

test("a quote has the price of one, the stock, and if the stock is enough", async () => {
  await using supplier = await startSupplier({ port: 0 });
  assert.deepEqual((await get(`${supplier.url}/v1/quotes/tea?quantity=3`)).body, {
    sku: "tea",
    inStock: true,
    available: 1_000_000,
    unitPrice: { currencyCode: "EUR", minorUnits: "450" },
  });
});

for (const { name, quantity, inStock } of [
  { name: "a quote for exactly the stock is in stock", quantity: 3, inStock: true },
  { name: "a quote for one more than the stock succeeds and is not in stock", quantity: 4, inStock: false },
]) {
  test(name, async () => {
    await using supplier = await startSupplier({ port: 0 });
    const { status, body } = await get(`${supplier.url}/v1/quotes/teapot?quantity=${quantity}`);
    assert.deepEqual([status, body.inStock, body.available], [200, inStock, 3]);
  });
}

test("a unicorn is not in stock until a change of settings", async () => {
  await using supplier = await startSupplier({ port: 0 });
  assert.equal((await get(`${supplier.url}/v1/quotes/unicorn`)).body.inStock, false);
  await patch(supplier.url, { stock: { unicorn: 1 } });
  assert.equal((await get(`${supplier.url}/v1/quotes/unicorn`)).body.inStock, true);
});

for (const { name, path, status } of [
  { name: "an unknown SKU is not found", path: "/v1/quotes/socks?quantity=1", status: 404 },
  { name: "a quantity of zero is refused", path: "/v1/quotes/tea?quantity=0", status: 400 },
  { name: "a quantity that is no integer is refused", path: "/v1/quotes/tea?quantity=1e3", status: 400 },
  { name: "broken percent-encoding is refused", path: "/v1/quotes/%E0%A4%A", status: 400 },
  { name: "a property of Object is not a SKU", path: "/v1/quotes/__proto__", status: 404 },
  { name: "an unknown path is not found", path: "/v1/quotes", status: 404 },
]) {
  test(`${name}, with a problem document`, async () => {
    await using supplier = await startSupplier({ port: 0 });
    const answer = await get(supplier.url + path);
    assert.deepEqual([answer.status, answer.contentType], [status, "application/problem+json"]);
    assert.equal(answer.body.status, status);
    assert.ok(answer.body.detail.length > 0);
  });
}

test("the response to a wrong method names the allowed ones", async () => {
  await using supplier = await startSupplier({ port: 0 });
  const response = await fetch(`${supplier.url}/v1/settings`, { method: "DELETE" });
  assert.deepEqual([response.status, response.headers.get("allow")], [405, "GET, PATCH"]);
});

test("settings change while it runs, and those that a change does not name stay", async () => {
  await using supplier = await startSupplier({ port: 0, settings: { latencyMs: 1, stock: { cups: 5 } } });
  const { status, body } = await patch(supplier.url, { failureRate: 0.5, stock: { kettle: 7 } });
  assert.equal(status, 200);
  assert.deepEqual([body.latencyMs, body.failureRate, body.stock.cups, body.stock.kettle], [1, 0.5, 5, 7]);
  assert.deepEqual((await get(`${supplier.url}/v1/settings`)).body, body);
});

for (const { name, change, says } of [
  { name: "text that is not JSON", change: "{latency", says: /not JSON/ },
  { name: "an array", change: [], says: /JSON object/ },
  { name: "null", change: null, says: /JSON object/ },
  { name: "an unknown setting", change: { latency: 5 }, says: /latency is not a setting/ },
  { name: "a latency given as text", change: { latencyMs: "5" }, says: /latencyMs must be an integer/ },
  { name: "a latency above a minute", change: { latencyMs: 60_001 }, says: /latencyMs must be/ },
  { name: "a negative jitter", change: { jitterMs: -1 }, says: /jitterMs must be/ },
  { name: "a failure rate above 1", change: { failureRate: 1.1 }, says: /failureRate must be/ },
  { name: "an unknown failing SKU", change: { failing: ["socks"] }, says: /failing must be/ },
  {
    name: "stock of an unknown SKU",
    change: { stock: { socks: 1 } },
    says: /stock\.socks is not in the catalogue/,
  },
  { name: "half a kettle", change: { stock: { kettle: 0.5 } }, says: /stock\.kettle must be an integer/ },
  { name: "tea that runs out", change: { stock: { tea: 0 } }, says: /tea is always in stock/ },
  { name: "a property of Object as key", change: '{"__proto__":{"latencyMs":5}}', says: /__proto__ is not a setting/ },
  { name: "one good and one bad setting", change: { latencyMs: 9, jitterMs: -1 }, says: /jitterMs must be/ },
]) {
  test(`a change with ${name} is refused, and nothing of it is applied`, async () => {
    await using supplier = await startSupplier({ port: 0 });
    const before = supplier.settings;
    const { status, body } = await patch(supplier.url, change);
    assert.equal(status, 400);
    assert.match(body.detail, says);
    assert.deepEqual(supplier.settings, before);
  });
}

test("all problems of a change are named at once", async () => {
  await using supplier = await startSupplier({ port: 0 });
  const { body } = await patch(supplier.url, { latencyMs: -1, failureRate: 2 });
  assert.match(body.detail, /latencyMs.*failureRate/);
});

test("a body above the limit is refused", async () => {
  await using supplier = await startSupplier({ port: 0 });
  assert.equal((await patch(supplier.url, `"${"x".repeat(20_000)}"`)).status, 413);
});

test("a failure rate of 1 fails every quote and 0 none", async () => {
  await using supplier = await startSupplier({ port: 0, settings: { failureRate: 1 } });
  assert.equal((await get(`${supplier.url}/v1/quotes/tea`)).status, 503);
  supplier.change({ failureRate: 0 });
  assert.equal((await get(`${supplier.url}/v1/quotes/tea`)).status, 200);
});

test("a failing SKU fails and the others answer", async () => {
  await using supplier = await startSupplier({ port: 0, settings: { failing: ["cups"] } });
  const statuses = ["cups", "tea"].map(async (sku) => (await get(`${supplier.url}/v1/quotes/${sku}`)).status);
  assert.deepEqual(await Promise.all(statuses), [503, 200]);
});

test("a response takes the latency and a part of the jitter", async () => {
  await using supplier = await startSupplier({
    port: 0,
    random: () => 0.5,
    settings: { latencyMs: 40, jitterMs: 40 },
  });
  const began = performance.now();
  await get(`${supplier.url}/v1/quotes/tea`);
  const tookMs = performance.now() - began;
  assert.ok(tookMs >= 58, `took ${tookMs} ms`);
});

test("a client that disconnects ends its quote", async () => {
  const events: QuoteEvent[] = [];
  const { promise: asked, resolve: onAsked } = Promise.withResolvers<void>();
  const { promise: aborted, resolve: onAborted } = Promise.withResolvers<void>();
  await using supplier = await startSupplier({
    port: 0,
    settings: { latencyMs: 60_000 },
    onQuote: (event) => {
      events.push(event);
      (event.step === "asked" ? onAsked : onAborted)();
    },
  });
  const client = new AbortController();
  const answer = fetch(`${supplier.url}/v1/quotes/tea`, { signal: client.signal });
  await asked;
  client.abort();
  await assert.rejects(answer, { name: "AbortError" });
  await aborted;
  assert.deepEqual(
    events.map(({ step }) => step),
    ["asked", "aborted"],
  );
});

test("closing finishes a quote in progress and refuses new ones", async () => {
  const { promise: asked, resolve: onAsked } = Promise.withResolvers<void>();
  const supplier = await startSupplier({ port: 0, settings: { latencyMs: 100 }, onQuote: () => onAsked() });
  const answer = get(`${supplier.url}/v1/quotes/tea`);
  await asked;
  const closed = supplier[Symbol.asyncDispose]();
  await assert.rejects(get(`${supplier.url}/healthz`));
  assert.equal((await answer).status, 200);
  const answered = performance.now();
  await closed;
  // A client keeps its idle connection for seconds.
  assert.ok(performance.now() - answered < 2_000, "closing does not wait for idle connections");
});

test("closing cancels a quote that takes longer than the grace period", async () => {
  const { promise: asked, resolve: onAsked } = Promise.withResolvers<void>();
  const supplier = await startSupplier({
    port: 0,
    graceMs: 20,
    settings: { latencyMs: 60_000 },
    onQuote: () => onAsked(),
  });
  const answer = get(`${supplier.url}/v1/quotes/tea`);
  answer.catch(() => {});
  await asked;
  await supplier[Symbol.asyncDispose]();
  await assert.rejects(answer);
});

test("a client that never ends its body does not block others", async () => {
  await using supplier = await startSupplier({ port: 0, graceMs: 20 });
  const slow = request(`${supplier.url}/v1/settings`, { method: "PATCH", headers: { "content-length": "10" } });
  slow.on("error", () => {});
  slow.write("{");
  await once(slow, "socket");
  assert.equal((await get(`${supplier.url}/v1/quotes/tea`)).status, 200);
  slow.destroy();
});
