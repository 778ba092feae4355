import assert from "node:assert/strict";
import { test } from "node:test";
import { createFileRegistry, fromBinary, setExtension, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { descriptorSet } from "@plumbline/contracts";
import { type AccessRule, readAccessRules } from "@plumbline/contracts/access";
import { type Binding, bindingsOf } from "@plumbline/transcoding";
import { openGateway } from "./support/gateway.ts";
import { MemoryUpstream } from "./support/memory-upstream.ts";
import { plumbline } from "./support/orders.ts";
import { startTokenIssuer } from "./support/token-issuer.ts";

type TokenIssuer = Awaited<ReturnType<typeof startTokenIssuer>>;

/** The states that a caller's token can be in, each with the header that it sends. */
const states = {
  "no token": async () => undefined,
  "another scheme": async () => `Basic ${btoa("ada:ada")}`,
  "no JWT": async () => "Bearer ada",
  forged: async (issuer, scopes) => `Bearer ${await issuer.token("ada", scopes, { forged: true })}`,
  expired: async (issuer, scopes) => claims(issuer, scopes, { exp: seconds(-31) }),
  "not yet valid": async (issuer, scopes) => claims(issuer, scopes, { nbf: seconds(60) }),
  "of another issuer": async (issuer, scopes) => claims(issuer, scopes, { iss: `${issuer.url}/` }),
  "for another audience": async (issuer, scopes) => claims(issuer, scopes, { aud: "other" }),
  "an ID token": async (issuer, scopes) => `Bearer ${await issuer.token("ada", scopes, { header: { typ: "JWT" } })}`,
  "without scopes": async (issuer) => `Bearer ${await issuer.token("ada", "")}`,
  "with other scopes": async (issuer) => `Bearer ${await issuer.token("ada", "orders:readx greetings:read")}`,
  valid: async (issuer, scopes) => `Bearer ${await issuer.token("ada", scopes)}`,
} satisfies Record<string, (issuer: TokenIssuer, scopes: string) => Promise<string | undefined>>;

type State = keyof typeof states;

async function claims(issuer: TokenIssuer, scopes: string, changes: Record<string, unknown>): Promise<string> {
  return `Bearer ${await issuer.token("ada", scopes, { claims: changes })}`;
}

function seconds(fromNow: number): number {
  return Math.floor(Date.now() / 1_000) + fromNow;
}

/** Returns what a caller gets: the service's answer, or a status. */
function expected(rule: AccessRule, state: State): string {
  if (rule.kind === "public" || state === "valid") return "called";
  return state === "without scopes" || state === "with other scopes" ? "403" : "401";
}

/** Returns a request that fits a binding: a value for each variable, and an empty body. */
function requestOf({ httpMethod, template }: Binding): [string, RequestInit] {
  const path = template.text.replace(/\{[^}]+\}/g, "x");
  const method = httpMethod === "*" ? "GET" : httpMethod;
  if (method === "GET") return [path, { method }];
  return [path, { method, body: "{}", headers: { "content-type": "application/json" } }];
}

const { rules, problems } = readAccessRules(plumbline);

test("every RPC admits exactly the callers of its access rule, in each state of their token", async (context) => {
  assert.deepEqual(problems, []);
  await using issuer = await startTokenIssuer();
  await using auth = await issuer.auth();
  let calls = 0;
  const called = () => {
    calls += 1;
    throw new Error("the request is not looked at further");
  };
  const names = [...rules.keys()].map((path) => path.slice(path.lastIndexOf("/") + 1));
  const upstream = new MemoryUpstream(plumbline, Object.fromEntries(names.map((name) => [name, called])));
  await using gateway = await openGateway(plumbline, { upstream, auth });
  const bindings = bindingsOf(plumbline);
  assert.deepEqual(new Set(bindings.map(({ rpcPath }) => rpcPath)), new Set(rules.keys()), "every RPC has a route");

  for (const binding of bindings) {
    const rule = rules.get(binding.rpcPath) as AccessRule;
    const scopes = rule.kind === "scopes" ? rule.scopes.join(" ") : "";
    const [path, init] = requestOf(binding);
    const cells: string[] = [];
    for (const state of Object.keys(states) as State[]) {
      const authorization = await states[state](issuer, scopes);
      const before = calls;
      const headers = new Headers(init.headers);
      if (authorization !== undefined) headers.set("authorization", authorization);
      const response = await gateway.fetch(path, { ...init, headers });
      await response.arrayBuffer();
      const found = calls > before ? "called" : String(response.status);
      assert.equal(found, expected(rule, state), `${init.method} ${path} with a token that is ${state}`);
      assert.equal(response.headers.has("www-authenticate"), found !== "called");
      cells.push(found);
    }
    context.diagnostic(`${init.method} ${path}: ${cells.join(" ")}`);
  }
});

/** Returns the contracts after a change of the rule of GetOrder; without one it has no options. */
function withRule(rule?: object) {
  const set = fromBinary(FileDescriptorSetSchema, descriptorSet);
  const extension = createFileRegistry(set).getExtension("plumbline.access.v1.rule");
  const method = set.file
    .find(({ name }) => name === "orders/v1/orders.proto")
    ?.service[0]?.method.find(({ name }) => name === "GetOrder");
  assert(extension?.message !== undefined && method?.options !== undefined);
  if (rule === undefined)
    method.options.$unknown = method.options.$unknown?.filter(({ no }) => no === 72_295_728) ?? [];
  else {
    const value = { $typeName: extension.message.typeName, scopes: [], public: false, internal: false, ...rule };
    setExtension(method.options, extension, value);
  }
  return createFileRegistry(fromBinary(FileDescriptorSetSchema, toBinary(FileDescriptorSetSchema, set)));
}

test("an RPC for services only has no route, with a token and without", async () => {
  await using issuer = await startTokenIssuer();
  await using auth = await issuer.auth();
  const registry = withRule({ internal: true });
  for (const identity of [{}, { auth }]) {
    await using gateway = await openGateway(registry, { upstream: new MemoryUpstream(registry, {}), ...identity });
    const authorization = `Bearer ${await issuer.token("ada", "orders:read orders:write")}`;
    assert.equal((await gateway.fetch("/v1/orders/7", { headers: { authorization } })).status, 404);
    assert.ok(!(await (await gateway.fetch("/openapi.json")).text()).includes("GetOrder"));
  }
});

test("a gateway that asks for tokens does not start with an RPC that has no rule", async () => {
  await using issuer = await startTokenIssuer();
  await using auth = await issuer.auth();
  const registry = withRule();
  const upstream = new MemoryUpstream(registry, {});
  await assert.rejects(
    openGateway(registry, { upstream, auth }),
    /orders\.v1\.OrdersService\/GetOrder: no access rule/,
  );
  await using _gateway = await openGateway(registry, { upstream });
});
