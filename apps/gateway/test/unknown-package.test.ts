import assert from "node:assert/strict";
import { test } from "node:test";
import { shop } from "@plumbline/transcoding/testing";
import { allEvents } from "./support/event-stream.ts";
import { openGateway } from "./support/gateway.ts";
import { MemoryUpstream } from "./support/memory-upstream.ts";
import { parseEnvironment } from "./support/parse-environment.ts";

const upstream = new MemoryUpstream(shop, {
  Echo: (request) => request,
  Picture: (request) => ({
    contentType: "text/plain",
    data: Buffer.from((request as { name: string }).name).toString("base64"),
  }),
  async *Ticks() {
    yield { version: "1", text: "a" };
    yield { version: "2", text: "b" };
  },
});

test("a package that the gateway does not know is served from its annotations alone", async () => {
  await using gateway = await openGateway(shop, { upstream });
  const send = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const init =
      body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } };
    return (await gateway.fetch(path, { method, ...init })).json();
  };
  const text = async (value: unknown): Promise<string> => (await (value as Promise<{ text: string }>)).text;

  assert.equal(await text(send("POST", "/v1/echo", { text: "a" })), "a");
  assert.equal(await text(send("GET", "/v1/echo?text=b")), "b");
  assert.equal(await text(send("PUT", "/v1/shelves/1/books/2", { name: "n" })), "shelves/1/books/2");
  assert.deepEqual(await send("PATCH", "/v1/echo/n", { text: "c" }), { name: "n", deeper: null, amount: "0" });
  assert.deepEqual(await send("POST", "/v1/echo/list", [{ name: "x" }]), [{ name: "x", deeper: null, amount: "0" }]);
  assert.equal(((await send("REPORT", "/v1/echo/true/7")) as { count: number }).count, 7);
  assert.equal(await (await gateway.fetch("/v1/pictures/a/b%2Fc:draw")).text(), "a/b%2Fc");
  assert.deepEqual(
    (await allEvents(await gateway.fetch("/v1/ticks:watch"))).flatMap(({ id }) => id ?? []),
    ["1", "2"],
  );

  const { paths } = (await send("GET", "/openapi.json")) as { paths: Record<string, unknown> };
  assert.ok("/v1/ticks:watch" in paths);
});

test("the package's name gives the name of a setting for its address, which is required", async () => {
  assert.deepEqual(await parseEnvironment(shop, { GATEWAY_UPSTREAMS_SHOP: "dns:///shop:1" }), {
    shop: "dns:///shop:1",
  });
  await assert.rejects(parseEnvironment(shop, {}), /GATEWAY_UPSTREAMS_SHOP/);
});

test("a method without an annotation has no route", async () => {
  await using gateway = await openGateway(shop, { upstream });
  assert.equal((await gateway.fetch("/shop.v1.Shop/Hidden", { method: "POST" })).status, 404);
});
