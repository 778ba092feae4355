import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Script } from "node:vm";
import { script } from "../src/docs/script.ts";
import { openGateway } from "./support/gateway.ts";
import { MemoryUpstream } from "./support/memory-upstream.ts";
import { plumbline } from "./support/orders.ts";

const upstream = new MemoryUpstream(plumbline, {});

describe("the page to try the API", () => {
  test("and all it loads come from here, under a policy that lets nothing else in", async () => {
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
    assert.doesNotMatch(html, /<script(?![^>]*\ssrc=)|<style| on\w+=| style=/, "the policy would refuse it");
    assert.equal((await gateway.fetch("/docs/docs.js")).headers.get("content-type"), "text/javascript; charset=utf-8");
  });

  test("has a script that parses, and puts no markup together", () => {
    assert.doesNotThrow(() => new Script(`(async () => {${script}})`));
    assert.doesNotMatch(script, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(/);
  });

  test("finds the document, and the index names both", async () => {
    await using gateway = await openGateway(plumbline, { upstream });
    const index = (await (await gateway.fetch("/")).json()) as Record<string, string>;
    for (const path of Object.values(index)) assert.equal((await gateway.fetch(path)).status, 200, path);
    const document = (await (await gateway.fetch("/openapi.json")).json()) as { openapi: string; paths: object };
    assert.equal(document.openapi, "3.1.1");
    assert.ok("/v1/orders/{orderId}:cancel" in document.paths);
  });
});
