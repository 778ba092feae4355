import assert from "node:assert/strict";
import { test } from "node:test";
import { createFileRegistry, fromBinary, setExtension, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { encodePrincipal, type Principal, principalName } from "@plumbline/auth";
import { descriptorSet } from "@plumbline/contracts";
import { type AccessRule, readAccessRules } from "@plumbline/contracts/access";
import { codeOf, ServiceError } from "@plumbline/errors";
import {
  connect,
  type MetadataInit,
  type ServiceMethod,
  serve,
  type TransportName,
  transportNames,
} from "@plumbline/rpc";
import { noTelemetry } from "@plumbline/telemetry";
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
function expected(rule: AccessRule, state: string): string {
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

/** The states that the caller of a gRPC call can be in, each with the metadata that it sends. */
const carried = {
  "no principal": () => ({}),
  "an empty one": () => ({ [principalName]: new Uint8Array() }),
  "no JSON": () => ({ [principalName]: Buffer.from("ada") }),
  "a list": () => ({ [principalName]: Buffer.from("[]") }),
  "no subject": (scopes) => principal(scopes, { subject: "" }),
  "no times": (scopes) => principal(scopes, { expiresMs: Number.NaN }),
  expired: (scopes) => principal(scopes, { expiresMs: Date.now() - 31_000 }),
  "a header of the client": () => ({ authorization: "Bearer ada", "x-user-id": "ada" }),
  "an unbelieved peer": (scopes) => principal(scopes),
  "without scopes": () => principal([]),
  "with other scopes": () => principal(["orders:readx", "greetings:read"]),
  valid: (scopes) => principal(scopes),
} satisfies Record<string, (scopes: readonly string[]) => MetadataInit>;

function principal(scopes: readonly string[], changes: Partial<Principal> = {}): MetadataInit {
  const times = { issuedMs: Date.now(), expiresMs: Date.now() + 600_000 };
  return { [principalName]: encodePrincipal({ subject: "ada", client: "cli", scopes, ...times, ...changes }) };
}

/** Serves every RPC of the rules over gRPC. A call that gets through is counted, and fails. */
async function serveAll(transport: TransportName, principalPeers: string) {
  const counted = { calls: 0 };
  const handle = async (): Promise<never> => {
    counted.calls += 1;
    throw new ServiceError("not_found", "the call was let through");
  };
  const services = new Map<string, ServiceMethod[]>();
  for (const { rpcPath, streams, method } of bindings.filter(({ index }) => index === 0)) {
    const methods = services.get(method.parent.typeName) ?? [];
    services.set(method.parent.typeName, [
      ...methods,
      { path: rpcPath, kind: streams ? "server_stream" : "unary", handle },
    ]);
  }
  const server = await serve(
    {
      services: [...services].map(([name, methods]) => ({ name, methods })),
      telemetry: noTelemetry,
      access: () => rules,
    },
    { host: "127.0.0.1", port: 0, graceMs: 500, transport, principalPeers },
  );
  return { counted, port: server.port, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

const bindings = bindingsOf(plumbline);
const scopesOf = (rule: AccessRule | undefined) => (rule?.kind === "scopes" ? rule.scopes : []);

/** Returns the rows in columns as wide as their widest cell. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

test("every RPC has a rule and a route, so that the matrix has all of them", () => {
  assert.deepEqual(problems, []);
  assert.deepEqual(new Set(bindings.map(({ rpcPath }) => rpcPath)), new Set(rules.keys()));
});

test("routes, the document and the access table are the same set, and other paths are 404 (negative 50)", async () => {
  await using issuer = await startTokenIssuer();
  await using auth = await issuer.auth();
  await using gateway = await openGateway(plumbline, { upstream: new MemoryUpstream(plumbline, {}), auth });
  const { paths } = (await (await gateway.fetch("/openapi.json")).json()) as {
    paths: Record<string, Record<string, { operationId: string; security: unknown }>>;
  };
  const documented = Object.values(paths).flatMap((methods) =>
    Object.entries(methods).map(([method, { operationId, security }]) => [operationId, method, security]),
  );
  const expected = bindings.map(({ rpcPath, method, httpMethod, index }) => {
    const scopes = scopesOf(rules.get(rpcPath));
    const id = `${method.parent.name}_${method.name}${index === 0 ? "" : `_${index + 1}`}`;
    return [id, httpMethod.toLowerCase(), scopes.length === 0 ? [] : [{ accessToken: scopes }]];
  });
  const sorted = (rows: readonly unknown[]) => rows.map((row) => JSON.stringify(row)).toSorted();
  assert.deepEqual(sorted(documented), sorted(expected));

  const authorization = `Bearer ${await issuer.token("ada", "orders:read orders:write")}`;
  const words = ["v1", "v2", "orders", "greetings", "labels", "admin", "internal", "users", "7", "label", "x:watch"];
  let state = 7;
  const next = (bound: number): number => (state = (state * 48_271) % 2_147_483_647) % bound;
  for (let tried = 0; tried < 500; tried++) {
    const parts = Array.from({ length: 1 + next(4) }, () => words[next(words.length)] ?? "");
    // A last part that no template has, behind one that matches no variable of a single part.
    const path = `/${[...parts, "none", "such"].join("/")}`;
    assert.equal((await gateway.fetch(path, { headers: { authorization } })).status, 404, path);
  }
});

for (const transport of transportNames) {
  test(`REST over ${transport}: every RPC admits the callers of its rule, in each state of a token (access matrix)`, async (context) => {
    await using issuer = await startTokenIssuer();
    await using auth = await issuer.auth();
    await using services = await serveAll(transport, "loopback");
    await using upstream = await connect(`127.0.0.1:${services.port}`, noTelemetry, { transport });
    await using gateway = await openGateway(plumbline, { upstream, auth });
    const rows: string[][] = [["", ...Object.keys(states)]];
    for (const binding of bindings) {
      const rule = rules.get(binding.rpcPath) as AccessRule;
      const [path, init] = requestOf(binding);
      const row = [`${init.method} ${path}`];
      for (const state of Object.keys(states) as State[]) {
        const authorization = await states[state](issuer, scopesOf(rule).join(" "));
        const before = services.counted.calls;
        const headers = new Headers(init.headers);
        if (authorization !== undefined) headers.set("authorization", authorization);
        const response = await gateway.fetch(path, { ...init, headers });
        await response.arrayBuffer();
        const found = services.counted.calls > before ? "called" : String(response.status);
        assert.equal(found, expected(rule, state), `${row[0]} with a token that is ${state}`);
        assert.equal(response.headers.has("www-authenticate"), found !== "called");
        row.push(found);
      }
      rows.push(row);
    }
    for (const line of table(rows)) context.diagnostic(line);
  });

  test(`gRPC over ${transport}: every RPC admits the callers of its rule, in each state of a principal (access matrix)`, async (context) => {
    await using believing = await serveAll(transport, "loopback");
    await using unbelieving = await serveAll(transport, "192.0.2.1");
    await using channel = await connect(`127.0.0.1:${believing.port}`, noTelemetry, { transport });
    await using stranger = await connect(`127.0.0.1:${unbelieving.port}`, noTelemetry, { transport });
    const rows: string[][] = [["", ...Object.keys(carried)]];
    for (const { rpcPath, streams } of bindings.filter(({ index }) => index === 0)) {
      const rule = rules.get(rpcPath) as AccessRule;
      const row = [rpcPath];
      for (const [state, metadataFor] of Object.entries(carried)) {
        const metadata = metadataFor(scopesOf(rule));
        const isStranger = state === "an unbelieved peer";
        const [{ counted }, client] = isStranger ? [unbelieving, stranger] : [believing, channel];
        const before = counted.calls;
        const options = { metadata, timeoutMs: 20_000 };
        const call = streams
          ? Array.fromAsync(client.serverStream(rpcPath, new Uint8Array(), options))
          : client.unary(rpcPath, new Uint8Array(), options);
        const code = await call.then(() => "ok", codeOf);
        const found = counted.calls > before ? "called" : code === "permission_denied" ? "403" : "401";
        if (found === "401") assert.equal(code, "unauthenticated");
        assert.equal(found, expected(rule, state), `${rpcPath} with a principal that is ${state}`);
        row.push(found);
      }
      rows.push(row);
    }
    for (const line of table(rows)) context.diagnostic(line);
  });
}

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

test("an RPC for services only has no route, with a token and without (negative 39)", async () => {
  await using issuer = await startTokenIssuer();
  await using auth = await issuer.auth();
  const registry = withRule({ internal: true });
  for (const identity of [{}, { auth }]) {
    await using gateway = await openGateway(registry, { upstream: new MemoryUpstream(registry, {}), ...identity });
    const authorization = `Bearer ${await issuer.token("ada", "orders:read orders:write orders:operate")}`;
    const headers = { authorization, "content-type": "application/json" };
    for (const path of ["/v1/orders/7", "/orders.v1.OrdersService/GetOrder", "/admin.v1.AdminService/Replay"]) {
      assert.equal((await gateway.fetch(path, { headers })).status, 404);
      assert.equal((await gateway.fetch(path, { headers, method: "POST", body: "{}" })).status, 404);
    }
    assert.ok(!(await (await gateway.fetch("/openapi.json")).text()).includes("GetOrder"));
  }
});

test("a gateway that asks for tokens does not start with an RPC that has no rule (negative 42)", async () => {
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
