import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { challenge, DenyList, openKeySource, requireScopes, TokenVerifier, type Verification } from "../src/index.ts";
import { digestOf } from "../src/token-cache.ts";
import { startIssuer } from "./issuer.ts";
import { jwkOf, signed, TestClock, testKey } from "./tokens.ts";

const es = testKey("ES256");
const minute = 60_000;

/** A verifier over the keys of a test's issuer, and the outcomes of its verifications. */
async function opened() {
  const clock = new TestClock();
  const issuer = await startIssuer({ keys: [jwkOf(es, "es")] });
  const keys = await openKeySource({ issuer: issuer.url, clock, random: () => 0.5, fetchMs: 60_000 });
  const denied = new DenyList();
  const seen: Verification[] = [];
  const verifier = new TokenVerifier({
    keys,
    audience: "plumbline",
    denied,
    clock,
    onVerified: (verification) => seen.push(verification),
  });
  const token = (changes: object = {}, key = es, kid = "es"): string => {
    const now = clock.wallMs() / 1_000;
    const claims = { iss: issuer.url, aud: "plumbline", sub: "ada", client_id: "cli", iat: now, exp: now + 3_600 };
    return signed({ alg: key.alg, typ: "at+jwt", kid }, { ...claims, ...changes }, key);
  };
  const outcomes = (): string[] => seen.splice(0).map(({ outcome, cache }) => `${outcome} ${cache}`);
  const close = async (): Promise<void> => {
    await keys[Symbol.asyncDispose]();
    await issuer[Symbol.asyncDispose]();
  };
  return { clock, issuer, keys, denied, verifier, token, outcomes, [Symbol.asyncDispose]: close };
}

test("a token is verified once, and then comes from the cache", async () => {
  await using run = await opened();
  const token = run.token();
  const first = await run.verifier.verify(token);
  assert.equal(await run.verifier.verify(token), first);
  assert.deepEqual(run.outcomes(), ["ok miss", "ok hit"]);
});

test("100 concurrent calls with one new token verify it once", async () => {
  await using run = await opened();
  const token = run.token();
  const principals = await Promise.all(Array.from({ length: 100 }, () => run.verifier.verify(token)));
  assert.equal(new Set(principals).size, 1);
});

test("a cached token is verified again after five minutes", async () => {
  await using run = await opened();
  const token = run.token();
  await run.verifier.verify(token);
  run.clock.advance(5 * minute - 1);
  await run.verifier.verify(token);
  run.clock.advance(1);
  await run.verifier.verify(token);
  assert.deepEqual(run.outcomes(), ["ok miss", "ok hit", "ok miss"]);
});

test("a cached token ends when it expires, and is refused after the tolerance", async () => {
  await using run = await opened();
  const token = run.token({ exp: run.clock.wallMs() / 1_000 + 60 });
  await run.verifier.verify(token);
  run.clock.advance(minute - 1);
  await run.verifier.verify(token);
  run.clock.advance(1);
  await run.verifier.verify(token);
  run.clock.advance(30_000);
  await assert.rejects(run.verifier.verify(token), { reason: "TOKEN_EXPIRED" });
  assert.deepEqual(run.outcomes(), ["ok miss", "ok hit", "ok miss", "expired miss"]);
});

test("a digest of a token is its SHA-256, and not the token", () => {
  const token = "a.b.c";
  assert.equal(digestOf(token), createHash("sha256").update(token).digest("base64"));
});

test("refused tokens are not cached", async () => {
  await using run = await opened();
  for (let count = 0; count < 3; count += 1) await assert.rejects(run.verifier.verify(run.token({ aud: "other" })));
  assert.equal(run.verifier.cachedTokens, 0);
  assert.deepEqual(run.outcomes(), ["invalid miss", "invalid miss", "invalid miss"]);
});

test("a key that the issuer removes takes its cached tokens along (negative 24)", async () => {
  await using run = await opened();
  const token = run.token();
  await run.verifier.verify(token);
  const next = testKey("ES256");
  run.issuer.jwks = { keys: [jwkOf(next, "next")] };
  await run.keys.find("next", "ES256"); // The unknown id fetches the keys.
  await assert.rejects(run.verifier.verify(token), { part: "kid" });
  assert.equal(run.verifier.cachedTokens, 0);
});

test("a key that is published before it is used rotates without a refused token", async () => {
  await using run = await opened();
  const next = testKey("ES256");
  const old = run.token();
  await run.verifier.verify(old);
  run.issuer.jwks = { keys: [jwkOf(es, "es"), jwkOf(next, "next")] };
  await run.verifier.verify(run.token({}, next, "next"));
  await run.verifier.verify(old);
  assert.deepEqual(run.outcomes(), ["ok miss", "ok miss", "ok hit"]);
});

test("an issuer that is away for 15 minutes fails no token, new or cached, and is found again (negative 26)", async () => {
  await using run = await opened();
  const cached = run.token();
  await run.verifier.verify(cached);
  run.issuer.jwks = (_: unknown, response: { destroy(): void }) => response.destroy();
  for (let count = 0; count < 15; count += 1) {
    run.clock.advance(minute);
    await run.verifier.verify(cached);
    await run.verifier.verify(run.token());
  }
  assert.equal(run.keys.ageMs, 15 * minute);
  // An attempt that began before would be joined, and fail.
  while (run.clock.sleepers === 0) await new Promise(setImmediate);
  const next = testKey("ES256");
  run.issuer.jwks = { keys: [jwkOf(es, "es"), jwkOf(next, "next")] };
  await run.verifier.verify(run.token({}, next, "next"));
  await run.verifier.verify(cached);
  assert(run.outcomes().every((outcome) => outcome.startsWith("ok")));
});

test("cached tokens are refused once the keys are older than a day", async () => {
  await using run = await opened();
  const token = run.token({ exp: run.clock.wallMs() / 1_000 + 3 * 86_400 });
  run.issuer.jwks = "";
  run.clock.advance(86_400_000 - 1_000);
  await run.verifier.verify(token);
  run.clock.advance(1_000);
  await assert.rejects(run.verifier.verify(token), { reason: "ISSUER_UNREACHABLE" });
  assert.deepEqual(run.outcomes(), ["ok miss", "unavailable miss"]);
});

test("a denied subject is refused from the next call on, although its token is cached (negative 30)", async () => {
  await using run = await opened();
  const [ada, bob] = [run.token(), run.token({ sub: "bob" })];
  await run.verifier.verify(ada);
  run.denied.set({ subjects: ["ada"] });
  await assert.rejects(run.verifier.verify(ada), {
    reason: "TOKEN_INVALID",
    message: "the access token is invalid",
    part: "deny list",
  });
  await run.verifier.verify(bob);
  run.denied.set({});
  await run.verifier.verify(ada);
  assert.deepEqual(run.outcomes(), ["ok miss", "denied hit", "ok miss", "ok hit"]);
});

test("tokens that were issued before a time are refused, and later ones are not", async () => {
  await using run = await opened();
  const old = run.token();
  run.clock.advance(1_000);
  run.denied.set({ issuedBeforeMs: run.clock.wallMs() });
  await assert.rejects(run.verifier.verify(old), { part: "deny list" });
  await run.verifier.verify(run.token());
});

test("the cache holds 10,000 tokens, and drops the oldest", { timeout: 300_000 }, async () => {
  await using run = await opened();
  const key = testKey("EdDSA"); // The fastest to sign and verify.
  run.issuer.jwks = { keys: [jwkOf(key, "es")] };
  const tokens = Array.from({ length: 10_001 }, (_, id) => run.token({ sub: `s${id}` }, key));
  run.clock.advance(300_000);
  while (run.keys.ageMs !== 0) await new Promise(setImmediate);
  for (const token of tokens) await run.verifier.verify(token);
  assert.equal(run.verifier.cachedTokens, 10_000);
  run.outcomes();
  await run.verifier.verify(tokens[1] ?? "");
  await run.verifier.verify(tokens[0] ?? "");
  assert.deepEqual(run.outcomes(), ["ok hit", "ok miss"]);
});

test("1,000 tokens are verified at once, and one more is refused until one of them ends", async () => {
  await using run = await opened();
  const tokens = Array.from({ length: 1_001 }, (_, id) => run.token({ sub: `s${id}` }));
  const results = await Promise.allSettled(tokens.map((token) => run.verifier.verify(token)));
  assert.equal(results.filter(({ status }) => status === "fulfilled").length, 1_000);
  const [last] = results.slice(-1);
  assert(last?.status === "rejected");
  assert.deepEqual([last.reason.code, last.reason.reason], ["resource_exhausted", "VERIFIER_BUSY"]);
  await run.verifier.verify(tokens.at(-1) ?? "");
});

test("a caller that gives up leaves the verification to the others", async () => {
  await using run = await opened();
  const token = run.token();
  const stop = new AbortController();
  const given = run.verifier.verify(token, { signal: stop.signal });
  const kept = run.verifier.verify(token);
  stop.abort(new Error("the client left"));
  await assert.rejects(given, /the client left/);
  assert.equal((await kept).subject, "ada");
});

const ada = { subject: "ada", client: "cli", scopes: ["orders:read"], issuedMs: 1_000, expiresMs: 2_000 };

test("a watcher of the deny list is called once when its principal becomes denied", () => {
  const denied = new DenyList({ subjects: ["bob"] });
  const calls: string[] = [];
  using _ada = denied.watch(ada, () => calls.push("ada"));
  using _bob = denied.watch({ ...ada, subject: "bob" }, () => calls.push("bob"));
  assert.deepEqual(calls, ["bob"]);
  denied.set({ subjects: ["eve"] });
  assert.deepEqual(calls, ["bob"]);
  denied.set({ issuedBeforeMs: 1_001 });
  denied.set({ issuedBeforeMs: 1_002 });
  assert.deepEqual(calls, ["bob", "ada"]);
});

test("a watcher that was disposed is not called", () => {
  const denied = new DenyList();
  denied.watch(ada, () => assert.fail("called"))[Symbol.dispose]();
  denied.set({ subjects: ["ada"] });
});

test("a token that was issued at the very time is not denied", () => {
  assert.equal(new DenyList({ issuedBeforeMs: 1_000 }).denies(ada), false);
});

test("a deny list of 1,001 subjects is refused, and the old one stays", () => {
  const subjects = Array.from({ length: 1_000 }, (_, id) => `s${id}`);
  const denied = new DenyList({ subjects: [...subjects.slice(1), "ada"] });
  assert.throws(() => denied.set({ subjects: [...subjects, "s1000"] }), /at most 1000/);
  assert.throws(() => denied.set({ issuedBeforeMs: Number.NaN }), /issuedBefore/);
  assert.equal(denied.denies(ada), true);
});

test("a principal with all scopes passes, and one without any of them gets permission_denied", () => {
  requireScopes(ada, ["orders:read"]);
  requireScopes(ada, []);
  assert.throws(() => requireScopes(ada, ["orders:read", "orders:write"]), {
    code: "permission_denied",
    reason: "INSUFFICIENT_SCOPE",
    message: "the access token needs the scope orders:read orders:write",
  });
});

test("a token is known once it was verified, until its key goes or its subject is denied", async () => {
  await using run = await opened();
  const token = run.token();
  assert.equal(run.verifier.known(token), undefined);
  const principal = await run.verifier.verify(token);
  assert.deepEqual(run.outcomes(), ["ok miss"]);
  assert.equal(run.verifier.known(token), principal);
  assert.deepEqual(run.outcomes(), ["ok hit"]);
  assert.equal(run.verifier.known(run.token({ sub: "bob" })), undefined);
  assert.equal(run.verifier.known("x".repeat(8_193)), undefined);
  run.denied.set({ subjects: ["ada"] });
  assert.equal(run.verifier.known(token), undefined);
  run.denied.set({});
  assert.equal(run.verifier.known(token), principal);
  run.clock.advance(301_000);
  assert.equal(run.verifier.known(token), undefined);
  assert.equal(run.verifier.cachedTokens, 0);
});

test("a challenge can name the metadata of the service", () => {
  const metadata = "https://api.example.com/.well-known/oauth-protected-resource";
  assert.equal(
    challenge({ realm: "plumbline", reason: "TOKEN_INVALID", metadata }),
    `Bearer realm="plumbline", resource_metadata="${metadata}", error="invalid_token"`,
  );
});

for (const [reason, scopes, header] of [
  ["TOKEN_MISSING", [], 'Bearer realm="plumbline"'],
  [undefined, [], 'Bearer realm="plumbline"'],
  ["TOKEN_INVALID", [], 'Bearer realm="plumbline", error="invalid_token"'],
  ["TOKEN_EXPIRED", [], 'Bearer realm="plumbline", error="invalid_token"'],
  ["INSUFFICIENT_SCOPE", ["a", "b"], 'Bearer realm="plumbline", error="insufficient_scope", scope="a b"'],
] as const) {
  test(`the challenge for ${reason} is ${header}`, () => {
    assert.equal(challenge({ realm: "plumbline", reason, scopes }), header);
  });
}
