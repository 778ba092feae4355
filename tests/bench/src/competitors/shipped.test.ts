import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { descriptorSet } from "@plumbline/contracts";
import { accessRulesOf } from "@plumbline/contracts/access";
import { guardedDescriptors, writeGuarded } from "./guarded.ts";
import { certificates, shipped } from "./shipped.ts";

const folder = mkdtempSync(join(tmpdir(), "plumbline-shipped-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const bundles = ["gateway", "greeter"].map((service) => join(folder, `apps/${service}/dist/main.js`));
for (const bundle of bundles) {
  mkdirSync(dirname(bundle), { recursive: true });
  writeFileSync(bundle, `Buffer.from("${Buffer.from(descriptorSet).toString("base64")}", "base64")`);
}
const parts = {
  root: folder,
  folder,
  go: folder,
  competitors: undefined,
  upstream: 1,
  collector: "http://127.0.0.1:1",
};

test("the default as it ships has certificates and tokens, and its calls say who makes them", async () => {
  const targets = await shipped(parts);
  assert.deepEqual(
    targets.map(({ name, group, mode }) => ({ name, group, mode })),
    [
      { name: "gateway + greeter (http2)", group: "chain", mode: "as it ships" },
      { name: "gateway (http2)", group: "gateway", mode: "as it ships" },
    ],
  );
  for (const { programs, behind = [], authorization } of targets) {
    const all = [...programs, ...behind];
    const gateway = all.find(({ env }) => "GATEWAY_HTTP_PORT" in env);
    const greeter = all.find(({ env }) => "GREETER_RPC_PORT" in env);
    const issuer = all.find(({ env }) => "ISSUER_PORT" in env);
    assert.ok(gateway && greeter && issuer && authorization);
    assert.equal(gateway.env["GATEWAY_AUTH_OFF"], undefined);
    assert.equal(gateway.env["GATEWAY_AUTH_ISSUER"], `http://127.0.0.1:${issuer.port}`);
    assert.match(gateway.env["GATEWAY_UPSTREAMS_GREETER"] ?? "", new RegExp(`:${greeter.port}$`));
    assert.equal(greeter.env["GREETER_RPC_CALLERS"], "spiffe://plumbline.internal/gateway");
    for (const file of [
      gateway.env["GATEWAY_UPSTREAM_TLS_CERTIFICATE_FILE"],
      gateway.env["GATEWAY_UPSTREAM_TLS_CA_FILE"],
      greeter.env["GREETER_RPC_TLS_CERTIFICATE_FILE"],
      greeter.env["GREETER_RPC_TLS_CLIENT_CA_FILE"],
    ]) {
      assert.match(readFileSync(file ?? "", "utf8"), /BEGIN CERTIFICATE/);
    }
    for (const { args } of programs) {
      const text = readFileSync(args.at(-1) ?? "", "utf8");
      assert.match(text, new RegExp(`"${RegExp.escape(Buffer.from(guardedDescriptors()).toString("base64"))}"`));
    }
    assert.equal(gateway.env["GATEWAY_RATE_LIMIT_PER_CLIENT_PER_SECOND"], "1000000");
    assert.equal(gateway.env["GATEWAY_RATE_LIMIT_PER_PRINCIPAL_PER_SECOND"], "1000000");
  }
});

test("SayHello needs a token in the copy of a bundle, and every other method what it needs", () => {
  const rules = new Map(accessRulesOf(descriptorSet));
  rules.set("/greeter.v1.Greeter/SayHello", { kind: "scopes", scopes: ["orders:read"] });
  assert.deepEqual(accessRulesOf(guardedDescriptors()), rules);
});

test("a bundle with other descriptors is refused", () => {
  const other = join(folder, "other.js");
  writeFileSync(other, "nothing");
  assert.throws(() => writeGuarded(other, join(folder, "copy.mjs")), /other\.js does not have the descriptors/);
});

test("the certificates of a chain bring no other setting of npm start", async () => {
  const { greeter, gateway } = await certificates(folder);
  assert.deepEqual(Object.keys(greeter).sort(), [
    "GREETER_RPC_CALLERS",
    "GREETER_RPC_TLS_CERTIFICATE_FILE",
    "GREETER_RPC_TLS_CLIENT_CA_FILE",
    "GREETER_RPC_TLS_KEY_FILE",
  ]);
  assert.deepEqual(Object.keys(gateway).sort(), [
    "GATEWAY_UPSTREAM_TLS_CA_FILE",
    "GATEWAY_UPSTREAM_TLS_CERTIFICATE_FILE",
    "GATEWAY_UPSTREAM_TLS_KEY_FILE",
  ]);
});
