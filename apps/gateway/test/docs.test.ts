import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Script } from "node:vm";
import { script } from "../src/docs/script.ts";
import { runPage } from "./support/fake-dom.ts";
import { openGateway } from "./support/gateway.ts";
import { MemoryUpstream } from "./support/memory-upstream.ts";
import { plumbline } from "./support/orders.ts";

const upstream = new MemoryUpstream(plumbline, {});

describe("the page to try the API", () => {
  test("loads everything from this origin, under a policy that allows nothing else", async () => {
    await using gateway = await openGateway(plumbline, { upstream });
    const page = await gateway.fetch("/docs");
    const html = await page.text();
    assert.equal(page.headers.get("content-type"), "text/html; charset=utf-8");
    const policy = page.headers.get("content-security-policy") ?? "";
    assert.match(policy, /^default-src 'none'; script-src 'self';/);
    assert.doesNotMatch(policy, /unsafe|\*|https?:/);
    const links = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link]) => link ?? "");
    assert.ok(links.length > 3);
    for (const link of links) {
      assert.ok(link.startsWith("/"), link);
      assert.equal((await gateway.fetch(link)).status, 200, link);
    }
    assert.doesNotMatch(html, /<script(?![^>]*\ssrc=)|<style| on\w+=| style=/, "the policy would block it");
    assert.equal((await gateway.fetch("/docs/docs.js")).headers.get("content-type"), "text/javascript; charset=utf-8");
  });

  test("has a script that parses and builds no markup from strings", () => {
    assert.doesNotThrow(() => new Script(`(async () => {${script}})`));
    assert.doesNotMatch(script, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(/);
  });

  test("lists every operation, and sends requests as their forms say", async () => {
    const requests: unknown[] = [];
    const services = new MemoryUpstream(plumbline, {
      ListOrders: (request) => {
        requests.push(request);
        return { nextPageToken: "t" };
      },
      PlaceOrder: (request) => {
        requests.push(request);
        return { id: "new" };
      },
      async *WatchOrder(request) {
        requests.push(request);
        yield { id: "w", version: "3" };
      },
    });
    await using gateway = await openGateway(plumbline, { upstream: services });
    const page = (await runPage(script, gateway.url))["#operations"] ?? assert.fail("no operations");
    const forms = page
      .all(({ tag }) => tag === "details")
      .map((details) => ({
        head: details
          .all(({ tag }) => tag === "summary")
          .map((one) => one.textContent)
          .join(""),
        form: details.all(({ tag }) => tag === "form")[0] ?? assert.fail("no form"),
      }));
    const document = (await (await gateway.fetch("/openapi.json")).json()) as { paths: Record<string, object> };
    assert.equal(forms.length, Object.values(document.paths).flatMap((methods) => Object.keys(methods)).length);

    const send = async (head: string, values: Record<string, string>): Promise<string> => {
      const { form } = forms.find((one) => one.head.startsWith(head)) ?? assert.fail(head);
      for (const [name, value] of Object.entries(values)) (form.elements[name] ?? assert.fail(name)).value = value;
      await form.onsubmit?.({ preventDefault: () => {} });
      return form
        .all(({ tag }) => tag === "output")
        .map((one) => one.textContent)
        .join("");
    };
    assert.match(
      await send("GET/v1/orders", { "query:customerId": "a b", "query:pageSize": "5" }),
      /200.*"nextPageToken": "t"/s,
    );
    assert.match(await send("POST/v1/orders", { body: '{"customerId":"c"}' }), /200.*"id": "new"/s);
    assert.match(
      await send("GET/v1/orders/{orderId}:watch", { "path:orderId": "a/b", "header:Last-Event-ID": "2" }),
      /event: end.*has ended/s,
    );
    assert.deepEqual(requests, [
      { customerId: "a b", pageSize: 5 },
      { customerId: "c" },
      { orderId: "a/b", afterVersion: "2" },
    ]);
  });

  test("is listed in the index, beside the OpenAPI document", async () => {
    await using gateway = await openGateway(plumbline, { upstream });
    const index = (await (await gateway.fetch("/")).json()) as Record<string, string>;
    for (const path of Object.values(index)) assert.equal((await gateway.fetch(path)).status, 200, path);
    const document = (await (await gateway.fetch("/openapi.json")).json()) as { openapi: string; paths: object };
    assert.equal(document.openapi, "3.1.1");
    assert.ok("/v1/orders/{orderId}:cancel" in document.paths);
  });
});
