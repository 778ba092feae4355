import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import dns from "node:dns";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { setImmediate as nextTurn, setTimeout as pause } from "node:timers/promises";
import { newAuthority } from "@plumbline/tools-engines";
import { IssuerError, type KeyFetch, type KeySourceOptions, openKeySource } from "../src/index.ts";
import { discoveryPath, jwksPath, startIssuer } from "./issuer.ts";
import { jwkOf, TestClock, testKey } from "./tokens.ts";

const es = testKey("ES256");
const other = testKey("ES256");
const rsa = testKey("RS256");
const one = { keys: [jwkOf(es, "es")] };
const two = { keys: [jwkOf(es, "es"), jwkOf(other, "other")] };
const hour = 3_600_000;

async function until(holds: () => boolean): Promise<void> {
  for (const end = performance.now() + 60_000; !holds(); await pause(5)) {
    assert(performance.now() < end, "the condition never held");
  }
}

/** Opens the keys of an issuer with a test's clock. Pauses have exactly their mean length. */
async function opened(issuer: string, options: Partial<KeySourceOptions> = {}) {
  const clock = new TestClock();
  const fetches: KeyFetch[] = [];
  const keys = await openKeySource({
    issuer,
    clock,
    random: () => 0.5,
    fetchMs: 60_000, // A busy machine may take seconds for a request.
    onFetch: (fetch) => fetches.push(fetch),
    ...options,
  });
  await until(() => clock.sleepers === 1);
  /** Lets the next attempt in the background happen, and waits for its end. */
  const nextAttempt = async (): Promise<KeyFetch | undefined> => {
    const count = fetches.length;
    clock.advance(clock.nextMs);
    await until(() => fetches.length > count && clock.sleepers === 1);
    return fetches.at(-1);
  };
  return { keys, clock, fetches, nextAttempt, [Symbol.asyncDispose]: () => keys[Symbol.asyncDispose]() };
}

test("the keys are there once the source is open", async () => {
  await using issuer = await startIssuer(two);
  await using source = await opened(issuer.url);
  const key = await source.keys.find("other", "ES256");
  assert(key.key.equals(other.publicKey));
  assert.equal(source.keys.ageMs, 0);
  assert.deepEqual(source.fetches, [{ outcome: "ok", ignored: [], repeated: false }]);
});

test("the keys are fetched every five minutes, and discovery once", async () => {
  await using issuer = await startIssuer(one);
  await using source = await opened(issuer.url);
  assert.equal(source.clock.nextMs, 300_000);
  await source.nextAttempt();
  await source.nextAttempt();
  assert.deepEqual([issuer.requests.get(discoveryPath), issuer.requests.get(jwksPath)], [1, 3]);
});

for (const [random, ms] of [
  [0, 270_000],
  [1, 330_000],
] as const) {
  test(`with the random number ${random} the next fetch is in ${ms} ms`, async () => {
    await using issuer = await startIssuer(one);
    await using source = await opened(issuer.url, { random: () => random });
    assert.equal(Math.round(source.clock.nextMs), ms);
  });
}

test("a key that stays is the same object after a refresh, and one that goes is not current", async () => {
  await using issuer = await startIssuer(two);
  await using source = await opened(issuer.url);
  const [kept, gone] = [await source.keys.find("es", "ES256"), await source.keys.find("other", "ES256")];
  issuer.jwks = one;
  await source.nextAttempt();
  assert.deepEqual([source.keys.isCurrent(kept), source.keys.isCurrent(gone)], [true, false]);
  assert.equal(await source.keys.find("es", "ES256"), kept);
});

test("another key under a known id replaces it", async () => {
  await using issuer = await startIssuer(one);
  await using source = await opened(issuer.url);
  const before = await source.keys.find("es", "ES256");
  issuer.jwks = { keys: [jwkOf(other, "es")] };
  await source.nextAttempt();
  assert.equal(source.keys.isCurrent(before), false);
  assert((await source.keys.find("es", "ES256")).key.equals(other.publicKey));
});

test("a key under another id is found under that id, and not under the one before", async () => {
  await using issuer = await startIssuer(one);
  await using source = await opened(issuer.url);
  issuer.jwks = { keys: [jwkOf(es, "renamed")] };
  await source.nextAttempt();
  assert((await source.keys.find("renamed", "ES256")).key.equals(es.publicKey));
  await assert.rejects(source.keys.find("es", "ES256"), { part: "kid" });
});

test("a key that the issuer restricts to one algorithm verifies no other from then on", async () => {
  await using issuer = await startIssuer({ keys: [jwkOf(rsa, "rsa")] });
  await using source = await opened(issuer.url);
  const before = await source.keys.find("rsa", "PS256");
  issuer.jwks = { keys: [jwkOf(rsa, "rsa", { alg: "RS256" })] };
  await source.nextAttempt();
  assert.equal(source.keys.isCurrent(before), false);
  await source.keys.find("rsa", "RS256");
  await assert.rejects(source.keys.find("rsa", "PS256"), { part: "alg", expected: "RS256, as the key says" });
});

test("a key without an id is that of a token without one, while it is the only key", async () => {
  await using issuer = await startIssuer({ keys: [jwkOf(es, undefined)] });
  await using source = await opened(issuer.url);
  assert((await source.keys.find(undefined, "ES256")).key.equals(es.publicKey));
  await assert.rejects(source.keys.find("es", "ES256"), { part: "kid" });
});

test("an unknown key id fetches the keys at once, and finds a new key", async () => {
  await using issuer = await startIssuer(one);
  await using source = await opened(issuer.url);
  issuer.jwks = two;
  assert((await source.keys.find("other", "ES256")).key.equals(other.publicKey));
});

test("1,000 unknown key ids cause one fetch in 30 s while the issuer answers (negative 15)", async () => {
  await using issuer = await startIssuer(one);
  await using source = await opened(issuer.url);
  const ask = async (): Promise<void> => {
    const asked = Array.from({ length: 1_000 }, (_, id) => source.keys.find(`unknown-${id}`, "ES256"));
    for (const result of await Promise.allSettled(asked)) {
      assert.equal(result.status, "rejected");
      assert.deepEqual([result.reason.reason, result.reason.part], ["TOKEN_INVALID", "kid"]);
    }
  };
  await ask();
  assert.equal(issuer.requests.get(jwksPath), 2);
  source.clock.advance(29_999);
  await ask();
  assert.equal(issuer.requests.get(jwksPath), 2);
  source.clock.advance(1);
  await ask();
  assert.equal(issuer.requests.get(jwksPath), 3);
});

test("unknown key ids cause one fetch in 30 s while the issuer fails, and known keys stay (negative 15)", async () => {
  await using issuer = await startIssuer(one);
  await using source = await opened(issuer.url);
  issuer.jwks = (_: unknown, response: ServerResponse) => response.writeHead(500).end();
  for (let id = 0; id < 100; id += 1) {
    await assert.rejects(source.keys.find(`unknown-${id}`, "ES256"), { reason: "TOKEN_INVALID" });
  }
  assert.equal(issuer.requests.get(jwksPath), 2);
  source.clock.advance(30_000);
  await assert.rejects(source.keys.find("unknown", "ES256"), { reason: "TOKEN_INVALID" });
  assert.equal(issuer.requests.get(jwksPath), 3);
  await source.keys.find("es", "ES256");
});

test("at most 32 callers wait for a slow issuer; the others are refused at once", async () => {
  const answers: ServerResponse[] = [];
  await using issuer = await startIssuer(one);
  await using source = await opened(issuer.url);
  issuer.jwks = (_: unknown, response: ServerResponse) => answers.push(response);
  let refused = 0;
  const asked = Array.from({ length: 40 }, async (_, id) => {
    await assert.rejects(source.keys.find(`unknown-${id}`, "ES256"));
    refused += 1;
  });
  await until(() => answers.length === 1 && refused === 8);
  answers[0]?.end(JSON.stringify(one));
  await Promise.all(asked);
});

test("a token without a key id causes no fetch", async () => {
  await using issuer = await startIssuer(two);
  await using source = await opened(issuer.url);
  await assert.rejects(source.keys.find(undefined, "ES256"), { part: "kid" });
  assert.equal(issuer.requests.get(jwksPath), 1);
});

test("an issuer that is away for 23 hours fails no look-up, and then all until it is back", async () => {
  await using issuer = await startIssuer(one);
  await using source = await opened(issuer.url);
  const key = await source.keys.find("es", "ES256");
  issuer.jwks = (_: unknown, response: ServerResponse) => response.destroy();
  assert.equal((await source.nextAttempt())?.outcome, "failed");
  assert.equal(source.clock.nextMs, 30_000);
  source.clock.advance(23 * hour);
  assert.equal(await source.keys.find("es", "ES256"), key);
  assert.equal(source.keys.isCurrent(key), true);
  source.clock.advance(24 * hour - (source.keys.ageMs ?? 0) - 1);
  assert.equal(source.keys.isCurrent(key), true);
  source.clock.advance(1);
  assert.equal(source.keys.isCurrent(key), false);
  await assert.rejects(source.keys.find("es", "ES256"), { code: "unavailable", reason: "ISSUER_UNREACHABLE" });
  issuer.jwks = one;
  await until(() => source.clock.sleepers === 1);
  if ((source.keys.ageMs ?? 0) > 0) await source.nextAttempt();
  assert.equal(await source.keys.find("es", "ES256"), key);
});

test("keys that are too old are asked for every three seconds, as if there were none", async () => {
  await using issuer = await startIssuer(one);
  await using source = await opened(issuer.url);
  issuer.jwks = (_: unknown, response: ServerResponse) => response.destroy();
  source.clock.advance(24 * hour);
  await until(() => source.fetches.length === 2 && source.clock.sleepers === 1);
  assert.equal(source.clock.nextMs, 3_000);
});

test("an issuer that is away at the start is unavailable, and is found within 10 s (negative 27)", async () => {
  const issuer = await startIssuer(one);
  await issuer[Symbol.asyncDispose]();
  await using source = await opened(issuer.url);
  assert.equal(source.keys.ageMs, undefined);
  await assert.rejects(source.keys.find("es", "ES256"), {
    code: "unavailable",
    reason: "ISSUER_UNREACHABLE",
    retryAfterMs: 3_000,
  });
  assert.match(source.fetches[0]?.problem ?? "", /ECONNREFUSED/);
  await using _back = await startIssuer(one, issuer.port);
  assert(source.clock.nextMs <= 3_300);
  assert.equal((await source.nextAttempt())?.outcome, "ok");
  await source.keys.find("es", "ES256");
});

const ed448 = generateKeyPairSync("ed448");
const weak = testKey("RS256", 1_024);
const answers: Readonly<Record<string, readonly [answer: unknown, problem: RegExp]>> = {
  "a redirect": [
    (_: unknown, response: ServerResponse) => response.writeHead(302, { location: "/moved" }).end(),
    /expected status 200, found 302/,
  ],
  "an error": [(_: unknown, response: ServerResponse) => response.writeHead(500).end("{}"), /found 500/],
  "no content": [(_: unknown, response: ServerResponse) => response.writeHead(204).end(), /found 204/],
  HTML: ["<html></html>", /expected JSON/],
  "behind headers of 20 KB": [
    (_: unknown, response: ServerResponse) => response.writeHead(200, { x: "h".repeat(20_000) }).end("{}"),
    /Header overflow/,
  ],
  "10 MB": [`{"keys":[],"filler":"${"f".repeat(10_000_000)}"}`, /expected at most 65536 bytes/],
  "one byte too much": [JSON.stringify(two).padEnd(65_537), /expected at most 65536 bytes/],
  "compressed data": [
    (_: unknown, response: ServerResponse) =>
      response.writeHead(200, { "content-encoding": "gzip" }).end("\u001f\u008b"),
    /expected JSON/,
  ],
  null: ["null", /keys: expected an array/],
  "keys in no array": [{ keys: {} }, /keys: expected an array/],
  "an empty set": [{ keys: [] }, /no key can verify signatures \(empty\)$/],
  "51 keys": [
    { keys: Array.from({ length: 51 }, (_, id) => jwkOf(other, `k${id}`)) },
    /51 entries, expected at most 50/,
  ],
  "one id twice": [{ keys: [jwkOf(es, "es"), jwkOf(other, "es")] }, /keys\[1\]\.kid/],
  "two keys without an id": [{ keys: [jwkOf(es, undefined), jwkOf(other, undefined)] }, /keys\[1\]\.kid/],
  "a symmetric key": [{ keys: [jwkOf(other, "other"), { kty: "oct", k: "c2VjcmV0", kid: "o" }] }, /found a secret/],
  "a symmetric key without its secret": [{ keys: [jwkOf(other, "other"), { kty: "oct", kid: "o" }] }, /found a secret/],
  "a private key": [
    { keys: [{ ...other.privateKey.export({ format: "jwk" }), kid: "other" }] },
    /expected a public key, found a secret/,
  ],
  "a key of another type with a secret": [{ keys: [jwkOf(other, "other"), { kty: "new", k: "c2VjcmV0" }] }, /secret/],
  "only RSA of 1024 bits": [{ keys: [jwkOf(weak, "weak")] }, /RSA of 2048 to 8192 bits/],
  "only a key for encryption": [{ keys: [jwkOf(rsa, "rsa", { use: "enc" })] }, /keys\[0\]\.use: expected sig/],
  "a development issuer's set": [{ ...two, plumbline_development_issuer: true }, /development issuer/],
};

for (const [name, [answer, problem]] of Object.entries(answers)) {
  test(`keys that are ${name} leave the last good ones, and are reported once (negative 28)`, async () => {
    await using issuer = await startIssuer(one);
    await using source = await opened(issuer.url);
    const key = await source.keys.find("es", "ES256");
    issuer.jwks = answer;
    const first = await source.nextAttempt();
    assert.equal(first?.outcome, "failed");
    assert.match(first?.problem ?? "", problem);
    assert.equal(first?.problem?.startsWith(`${issuer.url}${jwksPath}: `), true, first?.problem ?? "no problem");
    assert.equal(first?.repeated, false);
    assert.equal((await source.nextAttempt())?.repeated, true);
    assert.equal(await source.keys.find("es", "ES256"), key);
    assert.equal(issuer.requests.get("/moved"), undefined);
    issuer.jwks = one;
    assert.deepEqual(await source.nextAttempt(), { outcome: "ok", ignored: [], repeated: false });
  });
}

test("50 keys and a set of exactly 64 KiB are taken", async () => {
  const keys = Array.from({ length: 50 }, (_, id) => jwkOf(other, `k${id}`));
  await using issuer = await startIssuer(JSON.stringify({ keys }).padEnd(65_536));
  await using source = await opened(issuer.url);
  await source.keys.find("k49", "ES256");
});

const unusable: readonly (readonly [name: string, jwk: unknown, reason: RegExp])[] = [
  ["is for encryption", jwkOf(rsa, "x", { use: "enc" }), /^keys\[1\]\.use: expected sig$/],
  ["is for other operations", jwkOf(rsa, "x", { key_ops: ["encrypt"] }), /^keys\[1\]\.key_ops/],
  ["has operations in no array", jwkOf(rsa, "x", { key_ops: "verify" }), /^keys\[1\]\.key_ops/],
  ["is RSA of 1024 bits", jwkOf(weak, "x"), /RSA of 2048/],
  ["is RSA of more than 8192 bits", { kty: "RSA", kid: "x", e: "AQAB", n: "v".repeat(1_368) }, /to 8192 bits/],
  ["has an unknown type", { kty: "AKP", kid: "x" }, /^keys\[1\]: expected a key/],
  ["is of another curve", jwkOf(testKey("ES384"), "x"), /^keys\[1\]: expected a key/],
  ["is of Ed448", { ...ed448.publicKey.export({ format: "jwk" }), kid: "x" }, /^keys\[1\]: expected a key/],
  ["is not on its curve", { ...jwkOf(es, "x"), x: jwkOf(other, "x")["x"] }, /^keys\[1\]: expected a key/],
  ["is for another algorithm", jwkOf(rsa, "x", { alg: "RS512" }), /^keys\[1\]\.alg: expected RS256 or PS256$/],
  ["has an empty id", jwkOf(rsa, ""), /^keys\[1\]\.kid/],
  ["has an id that is no text", jwkOf(rsa, undefined, { kid: 1 }), /^keys\[1\]\.kid/],
  ["has an id of 257 characters", jwkOf(rsa, "k".repeat(257)), /^keys\[1\]\.kid/],
  ["is no object", "key", /^keys\[1\]: expected an object$/],
];

for (const [name, jwk, reason] of unusable) {
  test(`a key that ${name} is ignored, and the others are used`, async () => {
    await using issuer = await startIssuer({ keys: [jwkOf(es, "es"), jwk] });
    await using source = await opened(issuer.url);
    await source.keys.find("es", "ES256");
    await assert.rejects(source.keys.find("x", "RS256"), { part: "kid" });
    assert.equal(source.fetches[0]?.ignored.length, 1);
    assert.match(source.fetches[0]?.ignored[0] ?? "", reason);
  });
}

for (const [name, key] of [
  ["an id of 256 characters", jwkOf(rsa, "k".repeat(256))],
  ["several operations", jwkOf(rsa, "x", { key_ops: ["encrypt", "verify"] })],
  ["RSA of 8192 bits", { kty: "RSA", kid: "big", e: "AQAB", n: "v".repeat(1_366) }],
] as const) {
  test(`a key with ${name} is taken`, async () => {
    await using issuer = await startIssuer({ keys: [key] });
    await using source = await opened(issuer.url);
    await source.keys.find(String(key["kid"]), "PS256");
  });
}

const contradictions: Readonly<Record<string, readonly [change: object, error: RegExp]>> = {
  "another issuer": [{ issuer: "https://id.example.com" }, /issuer: expected exactly .* found "https:\/\/id\.example/],
  "no issuer": [{ issuer: undefined }, /issuer: expected exactly .* found none/],
  "keys by http": [{ jwks_uri: "http://id.example.com/jwks" }, /jwks_uri: expected an https URL/],
  "keys of another host": [{ jwks_uri: "https://id.example.com/jwks" }, /set jwksUri to allow it/],
  "keys of another port": [{ jwks_uri: "http://127.0.0.1:1/jwks" }, /set jwksUri to allow it/],
  "keys in a file": [{ jwks_uri: "file:///etc/passwd" }, /jwks_uri: expected an https URL/],
  "no address of keys": [{ jwks_uri: undefined }, /jwks_uri: expected a URL, found none/],
  "the mark of a development issuer": [{ plumbline_development_issuer: true }, /this is a development issuer/],
  "a mark that is no boolean": [{ plumbline_development_issuer: "yes" }, /this is a development issuer/],
  "an issuer of 10,000 characters": [{ issuer: "i".repeat(10_000) }, /^issuer: .{1,300}$/],
};

for (const [name, [change, error]] of Object.entries(contradictions)) {
  test(`discovery with ${name} refuses the start (negative 29)`, async () => {
    await using issuer = await startIssuer(one);
    issuer.discovery = { ...(issuer.discovery as object), ...change };
    await assert.rejects(openKeySource({ issuer: issuer.url, fetchMs: 60_000 }), (problem: unknown) => {
      assert(problem instanceof IssuerError, String(problem));
      assert.match(problem.message, error);
      return true;
    });
  });
}

test("a development issuer is taken where that is allowed", async () => {
  await using issuer = await startIssuer({ ...one, plumbline_development_issuer: true });
  issuer.discovery = { ...(issuer.discovery as object), plumbline_development_issuer: true };
  await using source = await opened(issuer.url, { allowDevelopment: true });
  await source.keys.find("es", "ES256");
});

test("an issuer that says that it is not for development is taken", async () => {
  await using issuer = await startIssuer(one);
  issuer.discovery = { ...(issuer.discovery as object), plumbline_development_issuer: false };
  await using source = await opened(issuer.url);
  await source.keys.find("es", "ES256");
});

test("an address of keys from the settings replaces discovery, also of another origin", async () => {
  await using issuer = await startIssuer(one);
  await using source = await opened("https://id.example.com/tenant", { jwksUri: `${issuer.url}${jwksPath}` });
  await source.keys.find("es", "ES256");
  assert.equal(issuer.requests.get(discoveryPath), undefined);
});

test("an address of keys by plain http of another machine is refused by the name of its setting", async () => {
  const jwksUri = "http://id.example.com/jwks";
  await assert.rejects(openKeySource({ issuer: "https://id.example.com", jwksUri }), {
    name: "IssuerError",
    message: /^jwksUri: expected an https URL/,
  });
});

test("a key is for its own algorithms only, and the error names them", async () => {
  await using issuer = await startIssuer({ keys: [jwkOf(rsa, "rsa")] });
  await using source = await opened(issuer.url);
  const expected = "RS256 or PS256, as the key says";
  await assert.rejects(source.keys.find("rsa", "ES256"), { reason: "TOKEN_INVALID", part: "alg", expected });
});

test("discovery that is not an object is a failed attempt, not a wrong setting", async () => {
  await using issuer = await startIssuer(one);
  issuer.discovery = "[]";
  await using source = await opened(issuer.url);
  assert.equal(source.fetches[0]?.problem, `${issuer.url}${discoveryPath}: expected a JSON object`);
});

for (const url of [
  "",
  "id.example.com",
  "http://id.example.com",
  "http://127.0.0.1.example.com",
  "ftp://localhost",
  "https://user@id.example.com",
  "https://:password@id.example.com",
  "https://id.example.com?x",
  "https://id.example.com#x",
]) {
  test(`the issuer "${url}" is refused`, async () => {
    await assert.rejects(openKeySource({ issuer: url }), IssuerError);
  });
}

for (const host of ["localhost", "127.0.0.1", "[::1]"]) {
  test(`an issuer by http on ${host} is a right setting, though nothing listens there`, async () => {
    await using source = await opened(`http://${host}:1`);
    assert.equal(source.fetches[0]?.outcome, "failed");
  });
}

test("an issuer of several addresses that refuse the connection is reported by the error's code", async (t) => {
  const addresses = ["127.0.0.1", "127.0.0.2"].map((address) => ({ address, family: 4 }));
  t.mock.method(dns, "lookup", (...[, , found]: [string, object, (error: null, all: object[]) => void]) =>
    found(null, addresses),
  );
  await using source = await opened("http://localhost:1");
  assert.match(source.fetches[0]?.problem ?? "", /^http:\/\/localhost:1\/\S+: ECONNREFUSED$/);
});

test("an issuer by https is believed by the authority that a setting names, and by no other", async () => {
  const authority = newAuthority("Test issuer's authority");
  const { certificate, key } = authority.issue({ name: "issuer", dnsNames: ["localhost"] });
  const server = createServer({ cert: certificate, key }, (request, response) => {
    const discovery = { issuer: url, jwks_uri: `${url}${jwksPath}` };
    response.end(JSON.stringify(request.url === jwksPath ? one : discovery));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `https://localhost:${(server.address() as AddressInfo).port}`;
  try {
    let ca: string | undefined = authority.certificate;
    await using source = await opened(url, { ca: () => ca });
    await source.keys.find("es", "ES256");
    for (const other of [undefined, newAuthority("Another authority").certificate]) {
      ca = other;
      await using stranger = await opened(url, { ca: () => ca });
      assert.equal(stranger.fetches[0]?.outcome, "failed");
      assert.match(stranger.fetches[0]?.problem ?? "", /certificate/);
      ca = authority.certificate;
      assert.equal((await stranger.nextAttempt())?.outcome, "ok", "the next request trusts those of that moment");
    }
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

test("keys are asked for without compression, and a response that is not read to its end is closed", async () => {
  await using issuer = await startIssuer(one);
  await using source = await opened(issuer.url);
  let encoding: unknown;
  let closed = false;
  issuer.jwks = (request: IncomingMessage, response: ServerResponse) => {
    encoding = request.headers["accept-encoding"];
    response.on("close", () => (closed = true));
    response.writeHead(500).write("never ends");
  };
  assert.equal((await source.nextAttempt())?.outcome, "failed");
  await until(() => closed);
  assert.equal(encoding, "identity");
});

test("an issuer whose address has a path is asked below that path", async () => {
  await using issuer = await startIssuer(one);
  const tenant = `${issuer.url}/tenant/`;
  await using source = await opened(tenant);
  assert.equal(issuer.requests.get(`/tenant${discoveryPath}`), 1);
  assert.equal(source.keys.issuer, tenant);
});

test("an issuer that never answers is given up after the deadline", async () => {
  await using issuer = await startIssuer(one);
  issuer.jwks = (_: unknown, response: ServerResponse) => response.write("{");
  await using source = await opened(issuer.url, { fetchMs: 100 });
  assert.match(source.fetches[0]?.problem ?? "", /the deadline of 100 ms passed/);
});

test("a document of the issuer has five seconds", async (t) => {
  await using issuer = await startIssuer(one);
  issuer.jwks = () => {}; // Never answers.
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const fetches: KeyFetch[] = [];
  const opening = openKeySource({ issuer: issuer.url, onFetch: (fetch) => fetches.push(fetch) });
  while (!issuer.requests.has(jwksPath)) await nextTurn();
  t.mock.timers.tick(4_999);
  for (let turn = 0; turn < 20; turn += 1) await nextTurn();
  assert.equal(fetches.length, 0);
  t.mock.timers.tick(1);
  await using _source = await opening;
  assert.match(fetches[0]?.problem ?? "", /the deadline of 5000 ms passed/);
});

test("closing the source ends a fetch that is under way, without a report", async () => {
  await using issuer = await startIssuer(one);
  const source = await opened(issuer.url);
  let asked = 0;
  issuer.jwks = () => (asked += 1);
  const found = source.keys.find("unknown", "ES256");
  await until(() => asked === 1);
  await source.keys[Symbol.asyncDispose]();
  await assert.rejects(found, { part: "kid" });
  assert.equal(source.fetches.length, 1);
  assert.equal(source.clock.sleepers, 0);
});
