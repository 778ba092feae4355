import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { decodePrincipal, encodePrincipal, IssuerError, principalName } from "@plumbline/auth";
import { startIssuer } from "@plumbline/issuer";
import type { MetadataInit } from "@plumbline/rpc";
import { noTelemetry } from "@plumbline/telemetry";
import { decodeProtectedHeader } from "jose";
import { type DeniedSettings, openAuth } from "../src/auth/open-auth.ts";
import { script } from "../src/docs/script.ts";
import { runPage } from "./support/fake-dom.ts";
import { defaults, openGateway } from "./support/gateway.ts";
import { type Handler, MemoryUpstream } from "./support/memory-upstream.ts";
import { plumbline } from "./support/orders.ts";
import { answerIn, rawConnection } from "./support/raw.ts";
import { startTokenIssuer } from "./support/token-issuer.ts";

const order = { id: "7", customerId: "ada", status: "ORDER_STATUS_PENDING", version: "1" };
const both = "orders:read orders:write";
const bob = { client: "cli", scopes: ["orders:read"], issuedMs: 0, expiresMs: 2e12 };
const nobody: DeniedSettings = { subjects: [], clients: [] };

interface Options {
  readonly handlers?: Record<string, Handler>;
  readonly settings?: object;
  readonly denied?: () => DeniedSettings;
}

/** Opens a gateway that trusts an issuer of the test's own. */
async function open({ handlers = { GetOrder: () => order }, settings = {}, denied = () => nobody }: Options = {}) {
  await using opened = new AsyncDisposableStack();
  const issuer = opened.use(await startTokenIssuer());
  const auth = opened.use(await issuer.auth(denied));
  const upstream = new MemoryUpstream(plumbline, handlers);
  const gateway = opened.use(await openGateway(plumbline, { upstream, auth, settings }));
  const get = (path: string, token?: string) =>
    gateway.fetch(path, { headers: token === undefined ? {} : { authorization: `Bearer ${token}` } });
  const owned = opened.move();
  return { issuer, gateway, get, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

const body = async (response: Response) => (await response.json()) as Record<string, unknown>;

describe("a protected route", () => {
  test("answers a caller whose token has the scope", async () => {
    await using run = await open();
    const token = await run.issuer.token("ada", both);
    assert.equal((await run.get("/v1/orders/7", token)).status, 200);
  });

  test("asks for a token, and names the metadata that say where to get one (negative 11)", async () => {
    await using run = await open();
    const response = await run.get("/v1/orders/7");
    assert.equal(response.status, 401);
    const metadata = `${run.gateway.url}/.well-known/oauth-protected-resource`;
    assert.equal(response.headers.get("www-authenticate"), `Bearer realm="plumbline", resource_metadata="${metadata}"`);
    const { reason, code } = await body(response);
    assert.deepEqual([reason, code], ["TOKEN_MISSING", "unauthenticated"]);
    assert.deepEqual(await body(await fetch(metadata)), {
      resource: run.gateway.url,
      authorization_servers: [run.issuer.url],
      scopes_supported: ["orders:read", "orders:write"],
      bearer_methods_supported: ["header"],
    });
  });

  test("says the same of every invalid token", async () => {
    await using run = await open();
    const details = new Set<unknown>();
    for (const token of [
      "x",
      await run.issuer.token("ada", both, { forged: true }),
      await run.issuer.token("ada", both, { claims: { aud: "other" } }),
      await run.issuer.token("ada", both, { header: { typ: "JWT" } }),
    ]) {
      const response = await run.get("/v1/orders/7", token);
      assert.equal(response.status, 401);
      assert.match(response.headers.get("www-authenticate") ?? "", /, error="invalid_token"$/);
      const { reason, detail } = await body(response);
      assert.equal(reason, "TOKEN_INVALID");
      details.add(detail);
    }
    assert.equal(details.size, 1);
  });

  test("refuses a token without the scope, and names the scope (negative 38)", async () => {
    await using run = await open();
    const response = await run.get("/v1/orders/7", await run.issuer.token("ada", "orders:write orders:readx"));
    assert.equal(response.status, 403);
    assert.match(response.headers.get("www-authenticate") ?? "", /error="insufficient_scope", scope="orders:read"$/);
    assert.equal((await body(response))["reason"], "INSUFFICIENT_SCOPE");
  });

  test("refuses two Authorization headers, and a token in the query (negatives 11, 23)", async () => {
    await using run = await open();
    const token = await run.issuer.token("ada", both);
    using connection = await rawConnection(run.gateway.port);
    connection.write(
      `GET /v1/orders/7 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nauthorization: Bearer ${token}\r\n\r\n`,
    );
    assert.equal(answerIn(await connection.received(/\}$/)).status, 401);
    assert.equal((await run.get(`/v1/orders/7?access_token=${token}`)).status, 401);
  });

  test("is matched before a token is looked at, and calls nothing when it refuses", async () => {
    let calls = 0;
    await using run = await open({ handlers: { GetOrder: () => (calls++, order) } });
    assert.equal((await run.get("/v1/nothing")).status, 404);
    assert.equal((await run.get("/v1/orders/7")).status, 401);
    assert.equal((await run.gateway.fetch("/v1/orders/7", { method: "OPTIONS" })).status, 204);
    assert.equal(calls, 0);
  });

  test("refuses before it reads the body", async () => {
    await using run = await open();
    using connection = await rawConnection(run.gateway.port);
    connection.write(
      "POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{",
    );
    assert.equal(answerIn(await connection.received(/\}$/)).status, 401);
  });
});

test("a public route needs no token, and looks at none", async () => {
  await using run = await open({ handlers: { SayHello: () => ({ message: "Hello" }) } });
  assert.equal((await run.get("/v1/greetings/Ada")).status, 200);
  assert.equal((await run.get("/v1/greetings/Ada", "x")).status, 200);
});

test("without an issuer no client is asked for a token, and the document has no security", async () => {
  await using gateway = await openGateway(plumbline, {
    upstream: new MemoryUpstream(plumbline, { GetOrder: () => order }),
  });
  assert.equal((await gateway.fetch("/v1/orders/7")).status, 200);
  assert.equal((await gateway.fetch("/.well-known/oauth-protected-resource")).status, 404);
  assert.ok(!(await (await gateway.fetch("/openapi.json")).text()).includes("security"));
});

test("the OpenAPI document states the scopes of each operation", async () => {
  await using run = await open();
  const document = await body(await run.gateway.fetch("/openapi.json"));
  const paths = document["paths"] as Record<string, Record<string, { security: unknown; responses: object }>>;
  const operation = (path: string, method: string) => paths[path]?.[method] ?? assert.fail(`${method} ${path}`);
  assert.deepEqual(operation("/v1/orders", "post").security, [{ accessToken: ["orders:write"] }]);
  assert.ok("401" in operation("/v1/orders", "post").responses);
  assert.deepEqual(operation("/v1/greetings/{name}", "get").security, []);
  assert.ok(!("401" in operation("/v1/greetings/{name}", "get").responses));
});

test("a service gets the caller from the token, and nothing that a client says of itself (negative 56)", async () => {
  const seen: unknown[] = [];
  const told = (_: unknown, { metadata }: { readonly metadata: MetadataInit }) => {
    const bytes = metadata[principalName];
    seen.push(bytes instanceof Uint8Array ? decodePrincipal(bytes)?.subject : bytes);
    assert.ok(!Object.keys(metadata).includes("authorization"));
    return {};
  };
  await using run = await open({ handlers: { GetOrder: told, SayHello: told } });
  const forged = Buffer.from(encodePrincipal({ ...bob, subject: "bob" })).toString("base64");
  const headers = {
    authorization: `Bearer ${await run.issuer.token("ada", both)}`,
    [principalName]: forged,
    [`grpc-metadata-${principalName}`]: forged,
    "x-user-id": "bob",
  };
  await run.gateway.fetch("/v1/orders/7", { headers });
  await run.gateway.fetch("/v1/greetings/Ada", { headers });
  await run.get("/v1/orders/7", await run.issuer.token("bob", both));
  await run.gateway.fetch("/v1/orders/7", { headers });
  assert.deepEqual(seen, ["ada", undefined, "bob", "ada"]);
});

test("the page to try the API sends the token of one form with the requests of all, to protected routes only", async () => {
  const sent: (string | undefined)[] = [];
  await using run = await open({ handlers: { GetOrder: () => order, ListOrders: () => ({}), SayHello: () => ({}) } });
  const page = (await runPage(script, run.gateway.url))["#operations"] ?? assert.fail("no operations");
  const submit = async (id: string, fields: Record<string, string>) => {
    const details = page.all(({ tag }) => tag === "details").find((one) => (one as { id?: string }).id === id);
    const [form = assert.fail(`no form of ${id}`)] = details?.all(({ tag }) => tag === "form") ?? [];
    for (const [name, value] of Object.entries(fields)) (form.elements[name] ?? assert.fail(name)).value = value;
    await form.onsubmit?.({ preventDefault: () => undefined });
    sent.push(/\d{3} \w+/.exec(form.textContent)?.[0]);
    return form;
  };
  await submit("OrdersService_ListOrders", {});
  const token = await run.issuer.token("ada", both);
  await submit("OrdersService_ListOrders", { token });
  await submit("OrdersService_GetOrder", { "path:orderId": "7" });
  assert.deepEqual(sent, ["401 Unauthorized", "200 OK", "200 OK"]);
  const greeting = await submit("Greeter_SayHello", { "path:name": "Ada" });
  assert.equal(greeting.elements["token"], undefined);
});

test("a header without a token counts as no new token, whatever its characters are", async () => {
  const auth = { newTokens: { perSecond: 0.001, burst: 1 } };
  await using run = await open({ settings: { auth } });
  const token = await run.issuer.token("ada", both);
  for (const wrong of ["", "a b", `${token} `.repeat(2), `${token},`, `${token}\u00e9`]) {
    const { reason } = await body(await run.get("/v1/orders/7", wrong));
    assert.equal(reason, "TOKEN_INVALID", wrong);
  }
  assert.equal((await run.get("/v1/orders/7", token)).status, 200);
  for (const wrong of [`${token},`, `${token}\u00e9`]) assert.equal((await run.get("/v1/orders/7", wrong)).status, 401);
});

test("the scheme has any case and any spaces after it, for a known token too", async () => {
  const auth = { newTokens: { perSecond: 0.001, burst: 1 } };
  await using run = await open({ settings: { auth } });
  const token = await run.issuer.token("ada", both);
  for (const start of ["Bearer ", "bearer ", "BEARER   "]) {
    const headers = { authorization: `${start}${token}` };
    assert.equal((await run.gateway.fetch("/v1/orders/7", { headers })).status, 200, start);
  }
});

test("many new tokens of one address are refused before they are verified; a known one passes", async () => {
  const auth = { newTokens: { perSecond: 0.001, burst: 3 } };
  await using run = await open({ settings: { auth } });
  const known = await run.issuer.token("ada", both);
  assert.equal((await run.get("/v1/orders/7", known)).status, 200);
  const statuses: number[] = [];
  for (let guess = 0; guess < 4; guess++) {
    const token = await run.issuer.token(`eve${guess}`, both, { forged: true });
    statuses.push((await run.get("/v1/orders/7", token)).status);
  }
  assert.deepEqual(statuses, [401, 401, 429, 429]);
  const refused = await run.get("/v1/orders/7", await run.issuer.token("bob", both));
  assert.deepEqual([refused.status, (await body(refused))["reason"]], [429, "TOO_MANY_TOKENS"]);
  assert.ok(Number(refused.headers.get("retry-after")) > 0);
  assert.equal((await run.get("/v1/orders/7", known)).status, 200);
  assert.equal((await run.get("/v1/orders/7")).status, 401);
});

test("the shares are the caller's: one customer at its bound takes nothing from another at its address", async () => {
  const held = Promise.withResolvers<typeof order>();
  const started = Promise.withResolvers<void>();
  const limits = { ...defaults.limits, concurrentPerClient: 1 };
  await using run = await open({
    settings: { limits },
    handlers: {
      GetOrder: (request) => {
        if ((request as { orderId: string }).orderId !== "slow") return order;
        started.resolve();
        return held.promise;
      },
    },
  });
  const [ada, again, bob] = await Promise.all([
    run.issuer.token("ada", both),
    run.issuer.token("ada", both, { claims: { jti: "2" } }),
    run.issuer.token("bob", both),
  ]);
  const slow = run.get("/v1/orders/slow", ada);
  await started.promise;
  assert.equal((await run.get("/v1/orders/7", again)).status, 429);
  assert.equal((await run.get("/v1/orders/7", bob)).status, 200);
  held.resolve(order);
  assert.equal((await slow).status, 200);
});

describe("the rate of a caller", () => {
  const rateLimit = {
    perClient: { perSecond: 0.001, burst: 40 },
    perPrincipal: { perSecond: 0.001, burst: 3 },
    global: { perSecond: 0, burst: 1 },
  };

  test("is its own: a flood takes nothing from another behind the address (negative 34)", async () => {
    let calls = 0;
    await using run = await open({ settings: { rateLimit }, handlers: { GetOrder: () => (calls++, order) } });
    const [ada, again, bob] = await Promise.all([
      run.issuer.token("ada", both),
      run.issuer.token("ada", both, { claims: { jti: "2" } }),
      run.issuer.token("bob", both),
    ]);
    const statuses: number[] = [];
    for (let sent = 0; sent < 30; sent++) {
      statuses.push((await run.get("/v1/orders/7", sent % 2 === 0 ? ada : again)).status);
    }
    assert.deepEqual(statuses, [200, 200, 200, ...Array<number>(27).fill(429)]);
    for (let sent = 0; sent < 3; sent++) assert.equal((await run.get("/v1/orders/7", bob)).status, 200);
    assert.equal(calls, 6);
    const refused = await run.get("/v1/orders/7", ada);
    assert.equal((await body(refused))["reason"], "RATE_LIMITED");
    assert.ok(Number(refused.headers.get("retry-after")) > 0);
    assert.match(refused.headers.get("ratelimit-policy") ?? "", /^"principal";q=3;/);
    assert.match(refused.headers.get("ratelimit") ?? "", /^"principal";r=0;/);
  });

  test("is asked after the scope, and before the body is read", async () => {
    await using run = await open({ settings: { rateLimit } });
    const [ada, reader] = await Promise.all([run.issuer.token("ada", both), run.issuer.token("eve", "orders:write")]);
    for (let sent = 0; sent < 4; sent++) assert.equal((await run.get("/v1/orders/7", reader)).status, 403);
    for (let sent = 0; sent < 3; sent++) assert.equal((await run.get("/v1/orders/7", ada)).status, 200);
    using connection = await rawConnection(run.gateway.port);
    connection.write(
      `POST /v1/orders HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ada}\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{`,
    );
    assert.equal(answerIn(await connection.received(/\}$/)).status, 429);
  });

  test("takes nothing from those who need no token", async () => {
    await using run = await open({ settings: { rateLimit }, handlers: { SayHello: () => ({ message: "Hello" }) } });
    const token = await run.issuer.token("ada", both);
    for (let sent = 0; sent < 5; sent++) assert.equal((await run.get("/v1/greetings/Ada", token)).status, 200);
  });
});

test("200 forged tokens of one address: 401, then 429, and a known token passes (negative 36)", async () => {
  const auth = { newTokens: { perSecond: 10, burst: 50 } };
  await using run = await open({ settings: { auth } });
  const known = await run.issuer.token("ada", both);
  assert.equal((await run.get("/v1/orders/7", known)).status, 200);
  const forged = await run.issuer.token("eve", both, { forged: true });
  const from = performance.now();
  const statuses = await Promise.all(
    // A cut signature is another token each time, and costs no signing.
    Array.from({ length: 200 }, async (_, at) => (await run.get("/v1/orders/7", `${forged}${at}`)).status),
  );
  const passed = statuses.filter((status) => status === 401).length;
  const most = 50 + (10 * (performance.now() - from)) / 1_000 + 1;
  assert.ok(passed >= 49 && passed <= most, `${passed} of 200 were looked at, ${most} at most`);
  assert.equal(statuses.filter((status) => status === 429).length, 200 - passed);
  assert.equal((await run.get("/v1/orders/7", known)).status, 200);
});

test("a key that is rotated under load fails no request (negative 25)", { timeout: 120_000 }, async () => {
  await using run = await open();
  const statuses: number[] = [];
  const kids = new Set<string>();
  const over = new AbortController();
  const send = async (client: number): Promise<void> => {
    for (let sent = 0; !over.signal.aborted; sent++) {
      const token = await run.issuer.token("ada", both, { claims: { jti: `${client}-${sent}` } });
      kids.add(String(decodeProtectedHeader(token).kid));
      // A new token is verified, and then known.
      for (let again = 0; again < 3; again++) statuses.push((await run.get("/v1/orders/7", token)).status);
    }
  };
  const sentAfter = async (more: number): Promise<void> => {
    for (const until = statuses.length + more; statuses.length < until; ) await setImmediate();
  };
  const clients = Promise.all(Array.from({ length: 8 }, (_, client) => send(client)));
  await sentAfter(150);
  await run.issuer.publishNext();
  await sentAfter(150);
  run.issuer.useNext();
  await sentAfter(300);
  over.abort();
  await clients;
  assert.deepEqual([...kids], ["first", "second"]);
  assert.deepEqual([...new Set(statuses)], [200]);
});

describe("a stream", () => {
  /** A watch that never ends by itself. */
  const handlers = {
    async *WatchOrder() {
      yield order;
      await new Promise(() => {});
    },
  };

  test("is one of 20 at once of its caller; others behind the address have theirs (negative 37)", async () => {
    await using run = await open({ handlers });
    const [ada, bob] = await Promise.all([run.issuer.token("ada", both), run.issuer.token("bob", both)]);
    const opened: Response[] = [];
    const watch = async (token: string): Promise<Response> => {
      const response = await run.get("/v1/orders/7:watch", token);
      opened.push(response);
      return response;
    };
    for (let open = 0; open < 20; open++) assert.equal((await watch(ada)).status, 200);
    const refused = await watch(ada);
    assert.deepEqual([refused.status, (await body(refused))["reason"]], [429, "OVERLOADED"]);
    assert.equal((await watch(bob)).status, 200);
    await opened.shift()?.body?.cancel();
    const limit = AbortSignal.timeout(20_000);
    while ((await watch(ada)).status !== 200) limit.throwIfAborted();
    await Promise.all(opened.map(async ({ body, bodyUsed }) => bodyUsed || (await body?.cancel())));
  });

  test("ends with its token, and its client comes back with another one only (negative 31)", async () => {
    await using run = await open({ handlers: { ...handlers, GetOrder: () => order } });
    const now = Math.floor(Date.now() / 1_000);
    const token = await run.issuer.token("ada", both, { claims: { exp: now + 4 } });
    const text = await (await run.get("/v1/orders/7:watch", token)).text();
    assert.match(text, /"id":"7"[^]*: reconnect\n\n$/);
    // A timer may be a millisecond early.
    assert.ok(Date.now() / 1_000 >= now + 3.9);
    while (Date.now() / 1_000 < now + 4) await setImmediate();
    const headers = { authorization: `Bearer ${token}`, "last-event-id": "1" };
    const resumed = await run.gateway.fetch("/v1/orders/7:watch", { headers });
    assert.deepEqual([resumed.status, (await body(resumed))["reason"]], [401, "TOKEN_EXPIRED"]);
    assert.match(resumed.headers.get("www-authenticate") ?? "", /error="invalid_token"$/);
    // Clocks differ, so another request has the tolerance.
    assert.equal((await run.get("/v1/orders/7", token)).status, 200);
  });

  test("ends when its caller is denied, whose next request is refused (negative 30)", async () => {
    let denied = nobody;
    await using run = await open({ handlers, denied: () => denied });
    const [ada, bob] = await Promise.all([run.issuer.token("ada", both), run.issuer.token("bob", both)]);
    const stream = await run.get("/v1/orders/7:watch", ada);
    denied = { ...nobody, subjects: ["ada"] };
    assert.match(await stream.text(), /: reconnect\n\n$/);
    assert.equal((await run.get("/v1/orders/7:watch", ada)).status, 401);
    const other = await run.get("/v1/orders/7:watch", bob);
    assert.equal(other.status, 200);
    await other.body?.cancel();
  });
});

test("tokens that were issued before a time are refused (negative 30)", async () => {
  let denied = nobody;
  await using run = await open({ denied: () => denied });
  const token = await run.issuer.token("ada", both);
  assert.equal((await run.get("/v1/orders/7", token)).status, 200);
  denied = { ...nobody, issuedBefore: new Date(Date.now() + 60_000).toISOString() };
  const limit = AbortSignal.timeout(20_000);
  while ((await run.get("/v1/orders/7", token)).status !== 401) limit.throwIfAborted();
});

test("a change of the deny list holds within a second, although it comes right after a look (negative 30)", async (t) => {
  await using issuer = await startTokenIssuer();
  const token = await issuer.token("ada", both);
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let denied = nobody;
  const seen: DeniedSettings[] = [];
  await using auth = await issuer.auth(() => {
    seen.push(denied);
    return denied;
  });
  const principal = await auth.verifier.verify(token);
  let ended = 0;
  using _watch = auth.denied.watch(principal, () => (ended += 1));
  /** Moves the clock by a millisecond, and lets what waits for it run. */
  const advance = async (): Promise<void> => {
    t.mock.timers.tick(1);
    await setImmediate();
  };
  for (const { length } = seen; seen.length === length; ) await advance();
  assert.equal(auth.verifier.known(token), principal);
  denied = { ...nobody, subjects: ["ada"] };
  // The watch of the settings' file waits for 100 ms of the second: a file is written in steps.
  for (let passed = 0; passed < 900; passed += 1) await advance();
  await assert.rejects(auth.verifier.verify(token), { reason: "TOKEN_INVALID", part: "deny list" });
  assert.deepEqual([auth.verifier.known(token), ended], [undefined, 1]);
  denied = nobody;
  for (let passed = 0; passed < 900; passed += 1) await advance();
  assert.equal(await auth.verifier.verify(token), principal);
});

test("an issuer for development is taken on loopback, and elsewhere only by a setting (negative 48)", async () => {
  await using issuer = await startIssuer({ port: 0 });
  const settings = { issuer: issuer.url, audience: "plumbline", tokenTypes: ["at+jwt"], developmentIssuer: false };
  for (const host of ["0.0.0.0", "::", "192.0.2.1", "gateway.example.com"]) {
    await assert.rejects(
      openAuth(settings, host, () => nobody, noTelemetry),
      IssuerError,
      host,
    );
  }
  for (const host of ["127.0.0.1", "localhost", "::1"]) {
    await using _auth = await openAuth(settings, host, () => nobody, noTelemetry);
  }
  await using auth = await openAuth({ ...settings, developmentIssuer: true }, "0.0.0.0", () => nobody, noTelemetry);
  const upstream = new MemoryUpstream(plumbline, { GetOrder: () => order });
  await using gateway = await openGateway(plumbline, { upstream, auth });
  const status = async (token: string) =>
    (await gateway.fetch("/v1/orders/7", { headers: { authorization: `Bearer ${token}` } })).status;
  const before = await issuer.token("ada");
  assert.equal(await status(before), 200);
  await issuer.rotate();
  assert.deepEqual([await status(await issuer.token("ada")), await status(before)], [200, 200]);
});

test("while the issuer was never reached, protected routes are unavailable and public ones answer (negative 27)", async () => {
  const gone = await startTokenIssuer();
  await gone[Symbol.asyncDispose]();
  await using auth = await gone.auth();
  const upstream = new MemoryUpstream(plumbline, { SayHello: () => ({ message: "Hello" }) });
  await using gateway = await openGateway(plumbline, { upstream, auth });
  const headers = { authorization: `Bearer ${await gone.token("ada", both)}` };
  const response = await gateway.fetch("/v1/orders/7", { headers });
  assert.deepEqual([response.status, (await body(response))["reason"]], [503, "ISSUER_UNREACHABLE"]);
  assert.ok(response.headers.has("retry-after"));
  assert.equal((await gateway.fetch("/v1/greetings/Ada", { headers })).status, 200);
});
