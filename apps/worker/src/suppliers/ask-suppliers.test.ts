import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { codeOf } from "@plumbline/errors";
import { type QuoteEvent, startSupplier } from "@plumbline/supplier";
import { noTelemetry, type Telemetry } from "@plumbline/telemetry";
import { askSuppliersOverHttp, type SuppliersOptions } from "./ask-suppliers.ts";

const usual = { concurrency: 8, timeoutMs: 10_000 };
const asker = (url: string, options: Partial<SuppliersOptions> = {}) =>
  askSuppliersOverHttp({ ...usual, url, ...options }, noTelemetry);
const itemsOf = (...skus: readonly string[]) => skus.map((sku) => ({ sku, quantity: 1 }));
const codeFrom = (answer: Promise<unknown>) => answer.then(() => "ok", codeOf);

/** The quotes that the supplier received. `until` resolves when they satisfy the condition. */
function watcher() {
  const events: QuoteEvent[] = [];
  let check = () => {};
  const count = (step: QuoteEvent["step"]) => events.filter((event) => event.step === step).length;
  return {
    count,
    skus: (step: QuoteEvent["step"]) => events.filter((event) => event.step === step).map(({ sku }) => sku),
    onQuote: (event: QuoteEvent) => {
      events.push(event);
      check();
    },
    until: (condition: () => boolean) =>
      new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`only saw ${JSON.stringify(events)}`)), 10_000);
        check = () => {
          if (!condition()) return;
          clearTimeout(timer);
          resolve();
        };
        check();
      }),
  };
}

test("answers are in the order of the items", async () => {
  await using supplier = await startSupplier({ port: 0, settings: { jitterMs: 20 } });
  assert.deepEqual(await asker(supplier.url)(itemsOf("tea", "unicorn", "socks", "matcha")), [
    { status: "in_stock", unitPrice: { currencyCode: "EUR", minorUnits: 450n } },
    { status: "out_of_stock" },
    { status: "unknown_sku" },
    { status: "in_stock", unitPrice: { currencyCode: "JPY", minorUnits: 2_400n } },
  ]);
});

test("the trace context is sent to a supplier only if the setting says so", async () => {
  const telemetry: Telemetry = {
    ...noTelemetry,
    tracer: { ...noTelemetry.tracer, carrier: () => ({ traceparent: "00-1-2-01" }) },
  };
  for (const { traceContext, wanted } of [
    { traceContext: undefined, wanted: undefined },
    { traceContext: false, wanted: undefined },
    { traceContext: true, wanted: "00-1-2-01" },
  ]) {
    const seen = new Set<string | undefined>();
    await using supplier = await startSupplier({ port: 0, onQuote: ({ traceparent }) => seen.add(traceparent) });
    await askSuppliersOverHttp({ ...usual, url: supplier.url, traceContext }, telemetry)(itemsOf("tea"));
    assert.deepEqual([...seen], [wanted]);
  }
});

test("the request names the quantity", async () => {
  await using supplier = await startSupplier({ port: 0 });
  const quotes = await asker(supplier.url)([
    { sku: "tea", quantity: 1 },
    { sku: "teapot", quantity: 4 },
  ]);
  assert.deepEqual(
    quotes.map(({ status }) => status),
    ["in_stock", "out_of_stock"],
  );
});

test("a path in the address of the suppliers is kept, with or without a slash at its end", async () => {
  const paths: string[] = [];
  await using server = await serving((request, response) => {
    paths.push(request.url ?? "");
    response.writeHead(404, { "content-type": "application/problem+json" }).end("{}");
  });
  await asker(`${server.url}/partners`)(itemsOf("tea"));
  await asker(`${server.url}/partners/`)(itemsOf("tea"));
  assert.deepEqual(paths, Array(2).fill("/partners/v1/quotes/tea?quantity=1"));
});

test("all items are asked at once, but never more than the bound", async () => {
  const seen = watcher();
  let most = 0;
  const waiting = () => seen.count("asked") - seen.count("answered");
  await using supplier = await startSupplier({
    port: 0,
    settings: { latencyMs: 30 },
    onQuote: (event) => {
      seen.onQuote(event);
      most = Math.max(most, waiting());
    },
  });
  const skus = ["tea", "coffee", "oolong", "cups", "kettle", "teapot", "matcha", "unicorn"];
  await asker(supplier.url, { concurrency: 3 })(itemsOf(...skus));
  assert.equal(most, 3);
});

test("all orders together ask no more at once than the bound, and one client's never all of it", async () => {
  const seen = watcher();
  let most = 0;
  await using supplier = await startSupplier({
    port: 0,
    settings: { latencyMs: 60_000 },
    onQuote: (event) => {
      seen.onQuote(event);
      most = Math.max(most, seen.count("asked") - seen.count("aborted"));
    },
  });
  const ask = asker(supplier.url, { concurrency: 4, concurrencyInAll: 8, timeoutMs: 60_000 });
  const controller = new AbortController();
  const { signal } = controller;
  const skus = ["tea", "coffee", "oolong", "cups", "kettle", "teapot", "matcha", "unicorn"];
  const flood = [1, 2, 3].map(() => codeFrom(ask(itemsOf(...skus), { signal, share: "192.0.2.1" })));
  await seen.until(() => seen.count("asked") === 6);
  const other = codeFrom(ask(itemsOf("socks"), { signal, share: "192.0.2.2" }));
  await seen.until(() => seen.skus("asked").includes("socks"));
  const third = codeFrom(ask(itemsOf("tea", "coffee", "cups"), { signal, share: "192.0.2.3" }));
  await seen.until(() => seen.count("asked") === 8);
  controller.abort(new Error("enough"));
  await Promise.all([...flood, other, third]);
  assert.equal(most, 8);
});

test("the first failure is thrown, aborts the requests in flight and starts no others", async () => {
  const seen = watcher();
  // The third quote fails at once; the two before it would take a minute.
  const numbers = [1, 1, 0, 0];
  await using supplier = await startSupplier({
    port: 0,
    settings: { jitterMs: 60_000, failureRate: 1 },
    random: () => numbers.shift() ?? 1,
    onQuote: seen.onQuote,
  });
  const skus = ["tea", "coffee", "cups", "kettle", "oolong"];
  const ask = asker(supplier.url, { concurrency: 3, timeoutMs: 60_000 });
  assert.equal(await codeFrom(ask(itemsOf(...skus))), "unavailable");
  await seen.until(() => seen.count("aborted") === 2);
  assert.deepEqual(seen.skus("asked").sort(), ["coffee", "cups", "tea"]);
  assert.equal(seen.count("answered"), 0);
});

test("suppliers that exceed the time limit are a failure, and their requests are aborted", async () => {
  const seen = watcher();
  await using supplier = await startSupplier({ port: 0, settings: { latencyMs: 60_000 }, onQuote: seen.onQuote });
  const code = codeFrom(asker(supplier.url, { timeoutMs: 200 })(itemsOf("tea", "cups")));
  await seen.until(() => seen.count("asked") === 2);
  assert.equal(await code, "deadline_exceeded");
  await seen.until(() => seen.count("aborted") === 2);
});

test("cancelling rejects with the reason and reaches the suppliers", { timeout: 30_000 }, async () => {
  const seen = watcher();
  await using supplier = await startSupplier({ port: 0, settings: { latencyMs: 60_000 }, onQuote: seen.onQuote });
  const delivery = new AbortController();
  const answer = asker(supplier.url, { timeoutMs: 60_000 })(itemsOf("tea"), { signal: delivery.signal });
  const rejected = assert.rejects(answer, /partition lost/);
  await seen.until(() => seen.count("asked") === 1);
  delivery.abort(new Error("partition lost"));
  await rejected;
  await seen.until(() => seen.count("aborted") === 1);
});

test("a supplier that cannot be reached is a failure", async () => {
  const supplier = await startSupplier({ port: 0 });
  await supplier[Symbol.asyncDispose]();
  assert.equal(await codeFrom(asker(supplier.url)(itemsOf("tea"))), "unavailable");
});

const json = { "content-type": "application/json" };
const quote = { sku: "tea", inStock: true, available: 9, unitPrice: { currencyCode: "EUR", minorUnits: "450" } };
const price = (minorUnits: unknown, currencyCode: unknown = "EUR") => ({
  ...quote,
  unitPrice: { currencyCode, minorUnits },
});

for (const { name, status = 200, headers = json, body, code } of [
  { name: "an answer with more fields than are read", body: { ...quote, delivery: "tomorrow" }, code: "ok" },
  { name: "a 404 without a problem document, as a proxy sends it,", status: 404, body: {}, code: "internal" },
  { name: "a 500", status: 500, body: {}, code: "unavailable" },
  { name: "a 429", status: 429, body: {}, code: "unavailable" },
  { name: "a 400", status: 400, body: {}, code: "internal" },
  { name: "a 204", status: 204, body: undefined, code: "internal" },
  { name: "a redirect", status: 302, headers: { location: "/elsewhere" }, body: undefined, code: "unavailable" },
  { name: "an answer that is not JSON", body: "<html>", code: "internal" },
  { name: "an empty answer", body: "", code: "internal" },
  { name: "an answer about another SKU", body: { ...quote, sku: "cups" }, code: "internal" },
  { name: "a price as a number", body: price(450), code: "internal" },
  { name: "a negative price", body: price("-450"), code: "internal" },
  { name: "a price of half a cent", body: price("4.5"), code: "internal" },
  { name: "a price of a thousand digits", body: price("9".repeat(1_000)), code: "internal" },
  { name: "a currency that does not exist", body: price("450", "euro"), code: "internal" },
  { name: "a price of 1e308", body: price(1e308), code: "internal" },
  { name: "a price that is no number", body: price("NaN"), code: "internal" },
  { name: "a currency in HTML", body: price("450", "<b>"), code: "internal" },
  { name: "a currency of half a character", body: price("450", "\ud83d"), code: "internal" },
  {
    name: "a price of the prototype",
    body: `{"sku":"tea","inStock":true,"__proto__":${JSON.stringify(price("450"))}}`,
    code: "internal",
  },
  { name: "stock as text", body: { ...quote, inStock: "true" }, code: "internal" },
  { name: "an answer larger than a quote can be", body: { ...quote, more: "x".repeat(20_000) }, code: "internal" },
]) {
  test(`${name} ${code === "ok" ? "is a quote" : `is a failure: ${code} (negative 51)`}`, async () => {
    await using server = await serving((_request, response) => {
      const text = typeof body === "string" || body === undefined ? body : JSON.stringify(body);
      response.writeHead(status, headers).end(text);
    });
    assert.equal(await codeFrom(asker(server.url)(itemsOf("tea"))), code);
  });
}

test("an answer that never ends is cut off at the bound (negative 51)", async () => {
  const { promise: closed, resolve: onClose } = Promise.withResolvers<void>();
  await using server = await serving((_request, response) => {
    response.writeHead(200, json);
    response.on("close", onClose);
    const more = () => {
      while (!response.destroyed && response.write("x".repeat(4_096)));
    };
    response.on("drain", more);
    more();
  });
  assert.equal(await codeFrom(asker(server.url)(itemsOf("tea"))), "internal");
  await closed;
});

test("an answer that inflates beyond the bound is cut off (negative 51)", async () => {
  const bomb = gzipSync(Buffer.alloc(64 * 1_024 * 1_024, "x"));
  await using server = await serving((_request, response) =>
    response.writeHead(200, { ...json, "content-encoding": "gzip" }).end(bomb),
  );
  assert.equal(await codeFrom(asker(server.url)(itemsOf("tea"))), "internal");
});

test("an answer that comes a byte at a time ends at the time limit (negative 51)", async () => {
  const { promise: closed, resolve: onClose } = Promise.withResolvers<void>();
  await using server = await serving((_request, response) => {
    response.writeHead(200, json);
    const drip = setInterval(() => response.write(" "), 20);
    response.on("close", () => {
      clearInterval(drip);
      onClose();
    });
  });
  assert.equal(await codeFrom(asker(server.url, { timeoutMs: 200 })(itemsOf("tea"))), "deadline_exceeded");
  await closed;
});

test("a supplier that redirects is not followed, whatever the status and the address (negative 44)", async () => {
  const asked: string[] = [];
  await using inside = await serving((request, response) => {
    asked.push(request.url ?? "");
    response.writeHead(200, json).end(JSON.stringify(quote));
  });
  for (const location of [`${inside.url}/latest/meta-data`, "http://169.254.169.254/", "file:///etc/passwd", "/v1/x"]) {
    for (const status of [301, 302, 303, 307, 308]) {
      let requests = 0;
      await using server = await serving((_request, response) => {
        requests += 1;
        response.writeHead(status, { location }).end();
      });
      // An order that cannot be supplied now is retried later.
      assert.equal(await codeFrom(asker(server.url)(itemsOf("tea"))), "unavailable", `${status} to ${location}`);
      assert.equal(requests, 1);
    }
  }
  assert.deepEqual(asked, []);
});

test("a SKU is one part of the path, whatever it holds (negative 44)", async () => {
  const paths: string[] = [];
  await using server = await serving((request, response) => {
    paths.push(request.url ?? "");
    response.writeHead(404, { "content-type": "application/problem+json" }).end("{}");
  });
  for (const sku of [
    "http://169.254.169.254/",
    "//evil.example.com",
    "../../admin",
    "@evil",
    "tea?x=1#",
    "t\r\nX: 1",
  ]) {
    await asker(server.url)(itemsOf(sku));
    assert.equal(paths.at(-1), `/v1/quotes/${encodeURIComponent(sku)}?quantity=1`);
  }
  assert.equal(paths.length, 6);
});

/** Starts a server for answers that no supplier should give. */
async function serving(handle: RequestListener): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer(handle).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
