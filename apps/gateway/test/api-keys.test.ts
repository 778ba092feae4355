/** API keys in the place of access tokens: over REST, before services on both transports. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { describe, test } from "node:test";
import type { Principal } from "@plumbline/auth";
import { env, loadConfig } from "@plumbline/config";
import { ServiceError } from "@plumbline/errors";
import { transportNames } from "@plumbline/rpc";
import { type Logger, noTelemetry } from "@plumbline/telemetry";
import { eventually } from "@plumbline/tools-engines";
import type { LiveSettings } from "../src/app.ts";
import type { Decision } from "../src/audit/audit-log.ts";
import { openClients } from "../src/clients.ts";
import { GatewayConfig } from "../src/config.ts";
import { readEvents } from "./support/event-stream.ts";
import { openGateway } from "./support/gateway.ts";
import { orderOf, serveServices } from "./support/grpc-services.ts";
import { keysFile, type TestKey, testKey } from "./support/keys-file.ts";
import { plumbline } from "./support/orders.ts";
import { startTokenIssuer } from "./support/token-issuer.ts";

interface Options {
  readonly keys: readonly TestKey[];
  readonly transport?: (typeof transportNames)[number];
  readonly settings?: Partial<LiveSettings>;
}

/** Opens a gateway that takes keys, before services that know the orders of Ada alone. */
async function open({ keys, transport = "http2", settings = {} }: Options) {
  await using opened = new AsyncDisposableStack();
  const callers: (Principal | undefined)[] = [];
  const lines: { readonly message: string; readonly fields: unknown }[] = [];
  const decisions: Decision[] = [];
  const log = (message: string, fields: unknown) => void lines.push({ message, fields });
  const logger: Logger = { ...noTelemetry.logger, debug: log, info: log, warn: log, error: log };
  const telemetry = { ...noTelemetry, logger };
  const services = opened.use(
    await serveServices({
      transport,
      principalPeers: "loopback",
      async getOrder(id, { principal }) {
        callers.push(principal);
        if (id !== "7" || principal?.subject !== "ada") throw new ServiceError("not_found", "there is no such order");
        return orderOf({ id });
      },
    }),
  );
  const target = `dns:///127.0.0.1:${services.port}`;
  const clients = opened.use(await openClients({ all: target }, noTelemetry, { transport }));
  const upstream = clients.get("all") ?? assert.fail("no client");
  const file = opened.use(await keysFile(...keys));
  let denied: readonly string[] = [];
  const issuer = await startTokenIssuer();
  opened.defer(() => issuer[Symbol.asyncDispose]());
  const auth = opened.use(await issuer.auth(() => ({ subjects: [], clients: denied }), telemetry, file.path));
  const audit = { record: (decision: Decision) => void decisions.push(decision) };
  const gateway = opened.use(await openGateway(plumbline, { upstream, auth, settings, telemetry, audit }));
  const get = (path: string, authorization?: string, headers: Record<string, string> = {}) =>
    gateway.fetch(path, { headers: { ...headers, ...(authorization !== undefined && { authorization }) } });
  const owned = opened.move();
  return {
    get,
    file,
    issuer,
    callers,
    lines,
    decisions,
    deny: (...ids: readonly string[]) => void (denied = ids),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

type Run = Awaited<ReturnType<typeof open>>;

/** Returns what a client sees, but for the id of its request. */
async function seen(response: Response) {
  const { requestId: _, ...body } = (await response.json()) as Record<string, unknown>;
  return { status: response.status, challenge: response.headers.get("www-authenticate") ?? "", body };
}

const until = (run: Run, key: TestKey, status: number) =>
  eventually(
    async () => (await run.get("/v1/orders/7", `Bearer ${key.text}`)).status,
    (found) => found === status,
  );

for (const transport of transportNames) {
  describe(`with calls over ${transport}`, () => {
    test("a key calls as its subject, with its scopes", async () => {
      const key = testKey("ada");
      await using run = await open({ keys: [key], transport });
      assert.equal((await run.get("/v1/orders/7", `Bearer ${key.text}`)).status, 200);
      assert.deepEqual(run.callers, [
        {
          subject: "ada",
          client: `plk_${key.entry.id}`,
          scopes: ["orders:read", "orders:write"],
          issuedMs: Date.parse(key.entry.created),
          expiresMs: Date.parse(key.entry.until),
        },
      ]);
    });

    test("to a key another's order is one that does not exist (negative 1)", async () => {
      const key = testKey("bob");
      await using run = await open({ keys: [key], transport });
      const [foreign, missing] = [
        await seen(await run.get("/v1/orders/7", `Bearer ${key.text}`)),
        await seen(await run.get("/v1/orders/8", `Bearer ${key.text}`)),
      ];
      assert.equal(foreign.status, 404);
      assert.deepEqual(JSON.parse(JSON.stringify(missing).replaceAll("/8", "/7")), foreign);
    });

    test("a key that is removed is refused, and its stream ends; those of other keys stay (negative 30)", async () => {
      const [key, other] = [testKey("ada"), testKey("ada")];
      await using run = await open({ keys: [key, other], transport });
      const [stream, staying] = await Promise.all(
        [key, other].map(({ text }) => run.get("/v1/orders/7:watch", `Bearer ${text}`)),
      );
      assert.deepEqual([stream?.status, staying?.status], [200, 200]);
      await run.file.put(other);
      assert.match((await stream?.text()) ?? "", /: reconnect\n\n$/);
      const refused = await seen(await run.get("/v1/orders/7", `Bearer ${key.text}`));
      assert.deepEqual([refused.status, refused.body["reason"]], [401, "TOKEN_INVALID"]);
      assert.equal((await run.get("/v1/orders/7", `Bearer ${other.text}`)).status, 200);
      const events = readEvents(staying ?? assert.fail("no stream"));
      const ended = (async () => {
        for await (const { comment } of events) if (comment === "reconnect") break;
        return "ended";
      })();
      const later = run.get("/v1/orders/7", `Bearer ${other.text}`);
      assert.equal(await Promise.race([ended, later.then(() => "open")]), "open");
    });
  });
}

const own = testKey("ada");
const stranger = testKey("ada");
const swap = (text: string, at: number) => `${text.slice(0, at)}${text[at] === "a" ? "b" : "a"}${text.slice(at + 1)}`;

test("every wrong key gets the answer of a wrong token, so that an id cannot be probed (negatives 11, 13)", async () => {
  // The digest of its id is that of another key, so its secret is the wrong one.
  const renewed = testKey("ada", { digest: stranger.entry.digest });
  await using run = await open({ keys: [own, renewed] });
  const forged = await seen(await run.get("/v1/orders/7", "Bearer eyJhbGciOiJub25lIn0.e30."));
  assert.match(forged.challenge, /^Bearer realm="plumbline", resource_metadata="[^"]+", error="invalid_token"$/);
  assert.equal(forged.body["reason"], "TOKEN_INVALID");
  const wrong = {
    "an unknown id": stranger.text,
    "a wrong secret": renewed.text,
    "a typing error": swap(own.text, 30),
    "a wrong checksum": swap(own.text, own.text.length - 1),
    "the id alone": `plk_${own.entry.id}`,
    "the digest": `plk_${own.entry.digest}`,
    "8 KiB": `plk_${"a".repeat(8_189)}`,
    "two keys": `${own.text}.${own.text}`,
  };
  for (const [name, text] of Object.entries(wrong)) {
    assert.deepEqual(await seen(await run.get("/v1/orders/7", `Bearer ${text}`)), forged, name);
  }
  assert.deepEqual(run.callers, []);
  for (const scheme of ["Basic", "ApiKey", "plk"]) {
    assert.equal((await run.get("/v1/orders/7", `${scheme} ${own.text}`)).status, 401, scheme);
  }
  assert.equal((await run.get("/v1/orders/7", `bearer ${own.text}`)).status, 200);
});

test("a key is looked for in the header Authorization alone (negative 23)", async () => {
  await using run = await open({ keys: [own] });
  const { text } = own;
  for (const [path, headers] of [
    [`/v1/orders/7?access_token=${text}`, {}],
    [`/v1/orders/7?api_key=${text}`, {}],
    ["/v1/orders/7", { "x-api-key": text }],
    ["/v1/orders/7", { cookie: `access_token=${text}` }],
    ["/v1/orders/7", { "proxy-authorization": `Bearer ${text}` }],
  ] as const) {
    const { status, body } = await seen(await run.get(path, undefined, headers));
    assert.deepEqual([status, body["reason"]], [401, "TOKEN_MISSING"], path);
  }
});

test("a key without the scope is refused, and the scope is named (negative 38)", async () => {
  const key = testKey("ada", { scopes: ["orders:write", "orders:readx"] });
  await using run = await open({ keys: [key] });
  const { status, challenge, body } = await seen(await run.get("/v1/orders/7", `Bearer ${key.text}`));
  assert.deepEqual([status, body["reason"]], [403, "INSUFFICIENT_SCOPE"]);
  assert.match(challenge, /error="insufficient_scope", scope="orders:read"$/);
});

test("a key ends at its time without tolerance, and so does its stream (negative 31)", async () => {
  const end = Date.now() + 2_000;
  const key = testKey("ada", { until: new Date(end).toISOString() });
  const over = testKey("ada", { until: new Date(Date.now() - 1).toISOString() });
  await using run = await open({ keys: [key, over] });
  const stream = run.get("/v1/orders/7:watch", `Bearer ${key.text}`);
  const expired = await seen(await run.get("/v1/orders/7", `Bearer ${over.text}`));
  assert.deepEqual([expired.status, expired.body["reason"]], [401, "TOKEN_EXPIRED"]);
  assert.match(expired.challenge, /error="invalid_token"$/);
  // On a machine that took the two seconds for the start, the watch is refused for its time too.
  const response = await stream;
  const text = await response.text();
  if (response.status === 200) assert.match(text, /: reconnect\n\n$/);
  else assert.match(text, /TOKEN_EXPIRED/);
  await until(run, key, 401);
  assert.ok(Date.now() >= end);
});

test("the deny list of the settings refuses a key by its id (negative 30)", async () => {
  const other = testKey("ada");
  await using run = await open({ keys: [own, other] });
  await until(run, own, 200);
  run.deny(`plk_${own.entry.id}`);
  await until(run, own, 401);
  assert.equal((await run.get("/v1/orders/7", `Bearer ${other.text}`)).status, 200);
});

test("a key that is added is taken, and a file that is wrong keeps the last good keys and names the field", async () => {
  const added = testKey("ada");
  await using run = await open({ keys: [own] });
  assert.equal((await run.get("/v1/orders/7", `Bearer ${added.text}`)).status, 401);
  await run.file.put(own, added);
  await until(run, added, 200);

  const refusals = () => run.lines.filter(({ message }) => message.startsWith("the file of API keys is invalid"));
  const wrong = {
    "keys.0.until": JSON.stringify({ keys: [{ ...own.entry, until: "SECRET" }] }),
    "keys.0": JSON.stringify({ keys: [{ ...own.entry, secret: "SECRET" }] }),
    YAML: "{ SECRET",
    "content, which it had before": "",
  };
  for (const [names, text] of Object.entries(wrong)) {
    const { length } = refusals();
    // A reader may see a file that is written in place before it has its content.
    if (text === "") await writeFile(run.file.path, text);
    else await run.file.write(text);
    await eventually(refusals, (lines) => lines.length > length);
    const said = JSON.stringify(refusals().at(-1));
    assert.ok(said.includes(names) && said.includes(run.file.path) && !said.includes("SECRET"), said);
    assert.doesNotMatch(said, /expected expected|\\n/);
    assert.equal((await run.get("/v1/orders/7", `Bearer ${added.text}`)).status, 200, names);
  }
  await run.file.put(own);
  await until(run, added, 401);
  await run.file.put();
  await until(run, own, 401);
});

test("wrong keys of one address are slowed down as wrong tokens are; a good one passes (negative 36)", async () => {
  await using run = await open({ keys: [own], settings: { auth: { newTokens: { perSecond: 0.001, burst: 3 } } } });
  const statuses: number[] = [];
  for (let guess = 0; guess < 5; guess++) {
    statuses.push((await run.get("/v1/orders/7", `Bearer ${testKey("ada").text}`)).status);
    assert.equal((await run.get("/v1/orders/7", `Bearer ${own.text}`)).status, 200);
  }
  assert.deepEqual(statuses, [401, 401, 401, 429, 429]);
});

test("a subject's keys and tokens have one rate (negative 34)", async () => {
  const none = { perSecond: 0, burst: 1 };
  const rateLimit = { perClient: none, global: none, perPrincipal: { perSecond: 0.001, burst: 2 } };
  const bob = testKey("bob");
  await using run = await open({ keys: [own, bob], settings: { rateLimit } });
  const token = await run.issuer.token("ada", "orders:read");
  const statuses: number[] = [];
  for (const text of [own.text, token, own.text, token, bob.text]) {
    statuses.push((await run.get("/v1/orders/7", `Bearer ${text}`)).status);
  }
  assert.deepEqual(statuses, [200, 200, 429, 429, 404]);
});

test("a key works while the issuer was never reached (negative 27)", async () => {
  const gone = await startTokenIssuer();
  await gone[Symbol.asyncDispose]();
  await using file = await keysFile(own);
  await using auth = await gone.auth(undefined, noTelemetry, file.path);
  assert.equal((await auth.verifier.verify(own.text)).subject, "ada");
  await assert.rejects(auth.verifier.verify(await gone.token("ada", "")), { reason: "ISSUER_UNREACHABLE" });
});

test("the audit log has the id of a key, and no log has the key (negative 49)", async () => {
  const reader = testKey("ada", { scopes: ["orders:write"] });
  const operator = testKey("ada", { scopes: ["orders:read", "orders:operate"] });
  await using run = await open({ keys: [reader, operator] });
  const wrong = swap(operator.text, 30);
  for (const text of [reader.text, operator.text, wrong]) await run.get("/v1/orders/7", `Bearer ${text}`);
  assert.deepEqual(
    run.decisions.map(({ outcome, reason, subject, client }) => [outcome, reason, subject, client]),
    [
      ["refused", "INSUFFICIENT_SCOPE", "ada", `plk_${reader.entry.id}`],
      ["operated", "OPERATOR", "ada", `plk_${operator.entry.id}`],
      ["refused", "TOKEN_INVALID", undefined, undefined],
    ],
  );
  const written = JSON.stringify([run.lines, run.decisions]);
  assert.match(written, /API key/);
  for (const text of [reader.text, operator.text, wrong]) assert.ok(!written.includes(text.slice(20, 40)));
});

test("a gateway does not start with a file that is missing or wrong, or with one and auth.off", async () => {
  await using issuer = await startTokenIssuer();
  await using file = await keysFile(own);
  const opened = (path: string) => issuer.auth(undefined, noTelemetry, path);
  await assert.rejects(opened(`${file.path}.missing`), { name: "ConfigError", message: /api-keys\.json\.missing/ });
  await file.write(JSON.stringify({ keys: [{ ...own.entry, until: undefined }] }));
  await assert.rejects(opened(file.path), { name: "ConfigError", message: /keys\.0\.until \([^)]*api-keys\.json:1\)/ });
  const off = { GATEWAY_HTTP_HOST: "127.0.0.1", GATEWAY_AUTH_OFF: "true", GATEWAY_AUTH_API_KEYS_FILE: file.path };
  await assert.rejects(loadConfig(GatewayConfig, [env("GATEWAY", off)]), /auth\.apiKeysFile[^]*no file with auth\.off/);
});
