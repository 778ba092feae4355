import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { after, before, test } from "node:test";
import {
  bearerToken,
  type KeySource,
  openKeySource,
  TokenError,
  TokenVerifier,
  type Verification,
} from "../src/index.ts";
import { startIssuer, type TestIssuer } from "./issuer.ts";
import { base64url, hmacSigned, jwkOf, signature, signed, TestClock, testKey } from "./tokens.ts";

const clock = new TestClock();
const now = clock.wallMs() / 1_000;
const es = testKey("ES256");
const ed = testKey("EdDSA");
const rs = testKey("RS256");
const ps = { ...rs, alg: "PS256" };
const own = testKey("ES256");

let issuer: TestIssuer;
let keys: KeySource;
let verifier: TokenVerifier;

before(async () => {
  issuer = await startIssuer({
    keys: [
      jwkOf(es, "es", { use: "sig", alg: "ES256" }),
      jwkOf(ed, "ed"),
      jwkOf(rs, "rs", { key_ops: ["verify"] }),
      jwkOf(testKey("RS256"), "rs-only", { alg: "RS256" }),
    ],
  });
  keys = await openKeySource({ issuer: issuer.url, clock, fetchMs: 60_000 });
  verifier = new TokenVerifier({ keys, audience: "plumbline", clock });
});

after(async () => {
  await keys[Symbol.asyncDispose]();
  await issuer[Symbol.asyncDispose]();
});

const header = { alg: "ES256", typ: "at+jwt", kid: "es" };

function claims(changes: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    iss: issuer.url,
    aud: "plumbline",
    sub: "ada",
    client_id: "cli",
    iat: now - 10,
    exp: now + 300,
    jti: "1",
    scope: "orders:read orders:write",
    ...changes,
  };
}

const token = (changes: Readonly<Record<string, unknown>> = {}, headers: object = {}): string =>
  signed({ ...header, ...headers }, claims(changes), es);

/** Signs a payload that is not the JSON of an object. */
const raw = (payload: string | Uint8Array): string => signed(header, payload, es);

test("a valid token gives its subject, client, scopes and times", async () => {
  assert.deepEqual(await verifier.verify(token()), {
    subject: "ada",
    client: "cli",
    scopes: ["orders:read", "orders:write"],
    issuedMs: (now - 10) * 1_000,
    expiresMs: (now + 300) * 1_000,
  });
});

test("a key id that is no text is refused for its form, and nothing is fetched for it", async () => {
  const before = issuer.requests.get("/jwks");
  for (const kid of [7, null, ["es"], { kid: "es" }]) {
    await assert.rejects(verifier.verify(token({}, { kid })), { part: "kid", expected: "a text" });
  }
  assert.equal(issuer.requests.get("/jwks"), before);
});

function longestToken(): string {
  for (let size = 5_600; size < 6_000; size += 1) {
    for (const filler of ["", "f", "ff"]) {
      const made = token({ filler: "f".repeat(size) }, { filler });
      if (made.length === 8_192) return made;
    }
  }
  throw new Error("no filler makes a token of 8192 characters");
}

const accepted: Readonly<Record<string, () => string>> = {
  "a token by EdDSA": () => signed({ ...header, alg: "EdDSA", kid: "ed" }, claims(), ed),
  "a token by RS256": () => signed({ ...header, alg: "RS256", kid: "rs" }, claims(), rs),
  "a token by PS256": () => signed({ ...header, alg: "PS256", kid: "rs" }, claims(), ps),
  "the type with its prefix and in capitals": () => token({}, { typ: "application/AT+JWT" }),
  "an audience among others": () => token({ aud: ["other", "plumbline"] }),
  "a token that expired 29 s ago": () => token({ exp: now - 29 }),
  "a token that is valid in 29 s": () => token({ nbf: now + 29 }),
  "a token that was issued 29 s ahead": () => token({ iat: now + 29 }),
  "a token that is valid in exactly 30 s": () => token({ nbf: now + 30 }),
  "a token that was issued exactly 30 s ahead": () => token({ iat: now + 30 }),
  "a token that expires at the end of the year 9999": () => token({ exp: 253_402_300_799 }),
  "a subject with the name of a member of objects": () => token({ sub: "constructor" }),
  "a subject of 64 characters outside the basic plane": () => token({ sub: "😀".repeat(64) }),
  "a client of 256 characters": () => token({ client_id: "c".repeat(256) }),
  "a nonce in a token of the type at+jwt": () => token({ nonce: "n" }),
  "a token with keys in its header that are not read": () =>
    token({}, { jwk: jwkOf(own, "es"), jku: `${issuer.url}/own`, x5u: `${issuer.url}/own` }),
  "a token of 8192 characters": longestToken,
  "100 scopes": () => token({ scope: Array.from({ length: 100 }, (_, index) => `s${index}`).join(" ") }),
};

for (const [name, make] of Object.entries(accepted)) {
  test(`the verifier takes ${name}`, async () => {
    await verifier.verify(make());
  });
}

const derSignature = (bytes: Buffer): Buffer => {
  const part = (half: Buffer): Buffer => {
    const body = (half[0] ?? 0) >= 128 ? Buffer.concat([Buffer.from([0]), half]) : half;
    return Buffer.concat([Buffer.from([2, body.length]), body]);
  };
  const body = Buffer.concat([part(bytes.subarray(0, 32)), part(bytes.subarray(32))]);
  return Buffer.concat([Buffer.from([48, body.length]), body]);
};

/** Replaces the signature of a valid token. */
function withSignature(change: (bytes: Buffer) => Buffer): string {
  const data = token().split(".").slice(0, 2).join(".");
  return `${data}.${change(signature(data, es)).toString("base64url")}`;
}

const refused: readonly (readonly [name: string, part: string, make: () => string])[] = [
  ["an empty token", "token", () => ""],
  ["a token of two parts", "token", () => token().split(".").slice(0, 2).join(".")],
  ["an encrypted token of five parts", "token", () => `${base64url({ alg: "dir", enc: "A256GCM" })}.a.b.c.d`],
  ["a token of 8193 characters", "token", () => `${longestToken()}A`],
  ["a header that is not JSON", "header", () => `${base64url("{")}.${base64url(claims())}.AA`],
  ["a header that is an array", "header", () => `${base64url([])}.${base64url(claims())}.AA`],
  ["a header that is not base64url", "header", () => `%%.${base64url(claims())}.AA`],
  ["the algorithm none", "alg", () => `${base64url({ ...header, alg: "none" })}.${base64url(claims())}.`],
  ["the algorithm None", "alg", () => `${base64url({ ...header, alg: "None" })}.${base64url(claims())}.`],
  ["an empty algorithm", "alg", () => token({}, { alg: "" })],
  ["an algorithm that is no text", "alg", () => token({}, { alg: ["ES256"] })],
  ["no algorithm", "alg", () => token({}, { alg: undefined })],
  ["an algorithm in small letters", "alg", () => token({}, { alg: "es256" })],
  ["an algorithm outside the list", "alg", () => signed({ ...header, alg: "ES384" }, claims(), testKey("ES384"))],
  [
    "HS256 with our public key as PEM",
    "alg",
    () => hmacSigned({ ...header, alg: "HS256" }, claims(), es.publicKey.export({ format: "pem", type: "spki" })),
  ],
  [
    "HS256 with our public key as DER",
    "alg",
    () => hmacSigned({ ...header, alg: "HS256" }, claims(), es.publicKey.export({ format: "der", type: "spki" })),
  ],
  [
    "HS256 with our public key as JWK",
    "alg",
    () => hmacSigned({ ...header, alg: "HS256" }, claims(), JSON.stringify(jwkOf(es, "es"))),
  ],
  ["an algorithm of another kind of key", "alg", () => signed({ ...header, alg: "RS256" }, claims(), rs)],
  ["an algorithm that the key is not for", "alg", () => token({}, { alg: "PS256", kid: "rs-only" })],
  ["no type", "typ", () => token({}, { typ: undefined })],
  ["an ID token", "typ", () => token({}, { typ: "JWT" })],
  ["a logout token", "typ", () => token({}, { typ: "logout+jwt" })],
  ["a type that is no text", "typ", () => token({}, { typ: ["at+jwt"] })],
  ["an unknown critical extension", "crit", () => token({}, { crit: ["x"], x: 1 })],
  ["an empty list of critical extensions", "crit", () => token({}, { crit: [] })],
  ["a critical unencoded payload", "crit", () => token({}, { crit: ["b64"], b64: false })],
  ["an unencoded payload", "b64", () => token({}, { b64: false })],
  ["a key id that is a path", "kid", () => token({}, { kid: "../../etc/passwd" })],
  ["a key id that is SQL", "kid", () => token({}, { kid: "' or 1=1" })],
  ["a key id of 4 KB", "kid", () => token({}, { kid: "k".repeat(4_000) })],
  ["a key id that is a member of objects", "kid", () => token({}, { kid: "__proto__" })],
  ["a key id that is no text", "kid", () => token({}, { kid: 1 })],
  ["no key id while there are several keys", "kid", () => token({}, { kid: undefined })],
  ["another key with a known id", "signature", () => signed(header, claims(), own)],
  [
    "another key that the header holds",
    "signature",
    () => signed({ ...header, jwk: jwkOf(own, "es"), jku: `${issuer.url}/own` }, claims(), own),
  ],
  ["no signature", "signature", () => withSignature(() => Buffer.alloc(0))],
  ["a signature that was cut", "signature", () => withSignature((bytes) => bytes.subarray(0, 63))],
  [
    "a signature with one bit off",
    "signature",
    () => withSignature((bytes) => Buffer.from(bytes.map((byte, at) => (at === 10 ? byte ^ 1 : byte)))),
  ],
  ["a signature of zeros", "signature", () => withSignature(() => Buffer.alloc(64))],
  ["a signature in DER", "signature", () => withSignature(derSignature)],
  ["a signature that is not base64url", "signature", () => `${withSignature(() => Buffer.alloc(0))}%%%`],
  [
    "claims that were changed",
    "signature",
    () => [token().split(".")[0], base64url(claims({ sub: "bob" })), token().split(".")[2]].join("."),
  ],
  ["a payload that is not JSON", "payload", () => raw("hello")],
  ["a payload that is an array", "payload", () => raw("[]")],
  ["a payload that is null", "payload", () => raw("null")],
  ["a token within the token", "payload", () => raw(token())],
  [
    "a payload that is not UTF-8",
    "payload",
    () => raw(Buffer.from(JSON.stringify(claims({ sub: "ada\u00ff" })), "latin1")),
  ],
  ["no issuer", "iss", () => token({ iss: undefined })],
  ["an issuer with one slash more", "iss", () => token({ iss: `${issuer.url}/` })],
  ["an issuer in capitals", "iss", () => token({ iss: issuer.url.toUpperCase() })],
  ["another issuer, signed by our issuer's key", "iss", () => token({ iss: "https://id.example.com" })],
  ["issuers in an array", "iss", () => token({ iss: [issuer.url] })],
  ["no audience", "aud", () => token({ aud: undefined })],
  ["another audience", "aud", () => token({ aud: "plumbline2" })],
  ["an array without our audience", "aud", () => token({ aud: ["other"] })],
  ["an audience in capitals", "aud", () => token({ aud: "Plumbline" })],
  ["a token that is bound to a DPoP key", "cnf", () => token({ cnf: { jkt: "x" } })],
  ["a token that is bound to a certificate", "cnf", () => token({ cnf: { "x5t#S256": "x" } })],
  ["a bound token whose bond is null", "cnf", () => token({ cnf: null })],
  ["no time of expiry", "exp", () => token({ exp: undefined })],
  ["a time of expiry that is a text", "exp", () => token({ exp: String(now + 300) })],
  ["a time of expiry that is null", "exp", () => token({ exp: null })],
  [
    "a time of expiry beyond all numbers",
    "exp",
    () => raw(JSON.stringify(claims({ exp: 1 })).replace('"exp":1', '"exp":1e400')),
  ],
  ["a time of expiry after the year 9999", "exp", () => token({ exp: 253_402_300_800 })],
  ["a time of expiry of 0", "exp", () => token({ exp: 0 })],
  ["no time of issue", "iat", () => token({ iat: undefined })],
  ["a time of issue that is a text", "iat", () => token({ iat: String(now) })],
  ["a token that was issued 31 s ahead", "iat", () => token({ iat: now + 31 })],
  ["a token that is valid in 31 s", "nbf", () => token({ nbf: now + 31 })],
  ["a start of validity that is null", "nbf", () => token({ nbf: null })],
  ["no subject", "sub", () => token({ sub: undefined })],
  ["an empty subject", "sub", () => token({ sub: "" })],
  ["a subject of 65 characters", "sub", () => token({ sub: "s".repeat(65) })],
  ["a subject of 129 units", "sub", () => token({ sub: "s".repeat(129) })],
  ["a subject with NUL", "sub", () => token({ sub: "ada\u0000" })],
  ["a subject with a line break", "sub", () => token({ sub: "ada\nbob" })],
  [
    "a subject with half a character",
    "sub",
    () => raw(JSON.stringify(claims()).replace('"ada"', String.raw`"\ud83d"`)),
  ],
  ["a subject that is a number", "sub", () => token({ sub: 7 })],
  ["a subject that is an array", "sub", () => token({ sub: ["ada"] })],
  ["no client", "client_id", () => token({ client_id: undefined })],
  ["a client of 257 characters", "client_id", () => token({ client_id: "c".repeat(257) })],
  ["101 scopes", "scope", () => token({ scope: Array.from({ length: 101 }, (_, index) => `s${index}`).join(" ") })],
];

/** The negative case that a refused part is, by its number in `npm run negatives`. */
const negatives: Readonly<Record<string, number>> = {
  alg: 12,
  signature: 13,
  kid: 16,
  crit: 17,
  b64: 17,
  payload: 17,
  exp: 18,
  iat: 18,
  nbf: 18,
  iss: 19,
  aud: 19,
  typ: 20,
  cnf: 21,
  sub: 22,
};

function tagOf(name: string, part: string): string {
  const negative = name.startsWith("another key") ? 14 : negatives[part];
  return negative === undefined ? "" : ` (negative ${negative})`;
}

for (const [name, part, make] of refused) {
  test(`the verifier refuses ${name}${tagOf(name, part)}`, async () => {
    const bad = make();
    await assert.rejects(verifier.verify(bad), (error: unknown) => {
      assert(error instanceof TokenError);
      assert.deepEqual([error.part, error.code, error.reason], [part, "unauthenticated", "TOKEN_INVALID"]);
      // All invalid tokens get one text, and no error holds the token.
      assert.equal(error.message, "the access token is invalid");
      assert.notEqual(error.expected, "");
      if (bad !== "") assert(!`${error.stack} ${JSON.stringify(error)}`.includes(bad));
      return true;
    });
    assert.equal(issuer.requests.get("/own"), undefined);
  });
}

for (const [name, exp] of [
  ["31 s ago", now - 31],
  ["exactly 30 s ago", now - 30],
] as const) {
  test(`a token that expired ${name} is refused as expired`, async () => {
    await assert.rejects(verifier.verify(token({ exp })), { reason: "TOKEN_EXPIRED", part: "exp" });
  });
}

test("a fault of the verifier is not blamed on the token", async () => {
  const wrong = { id: "es", algorithms: ["ES256"], key: rs.publicKey, text: "" } as const;
  const broken = {
    issuer: issuer.url,
    ageMs: 0,
    find: async () => wrong,
    isCurrent: () => true,
    [Symbol.asyncDispose]: async () => {},
  };
  const outcomes: string[] = [];
  const onVerified = ({ outcome }: Verification) => outcomes.push(outcome);
  const faulty = new TokenVerifier({ keys: broken, audience: "plumbline", clock, onVerified });
  await assert.rejects(faulty.verify(token()), (error) => !(error instanceof TokenError));
  assert.deepEqual(outcomes, ["unavailable"]);
});

test("the error of a wrong audience says which one was expected", async () => {
  await assert.rejects(verifier.verify(token({ aud: "other" })), { part: "aud", expected: '"plumbline"' });
});

for (const [scope, scopes] of [
  [undefined, []],
  [["orders:read"], []],
  ["", []],
  ["orders:readx", ["orders:readx"]],
  [" a  b a ", ["a", "b"]],
] as const) {
  test(`the scope ${JSON.stringify(scope)} gives ${JSON.stringify(scopes)}`, async () => {
    assert.deepEqual((await verifier.verify(token({ scope }))).scopes, scopes);
  });
}

test("a token without a key id is taken while the issuer has one key", async () => {
  await using single = await startIssuer({ keys: [jwkOf(es, "es")] });
  await using source = await openKeySource({ issuer: single.url, clock, fetchMs: 60_000 });
  const one = new TokenVerifier({ keys: source, audience: "plumbline", clock });
  await one.verify(token({ iss: single.url }, { kid: undefined }));
});

test("a verifier for JWT takes access tokens of that type, but no ID tokens", async () => {
  const wide = new TokenVerifier({ keys, audience: "plumbline", clock, tokenTypes: ["at+jwt", "JWT"] });
  await wide.verify(token({}, { typ: "JWT" }));
  await assert.rejects(wide.verify(token({ nonce: "n" }, { typ: "JWT" })), { part: "nonce" });
  await assert.rejects(wide.verify(token({ at_hash: "h" }, { typ: "JWT" })), { part: "at_hash" });
  await assert.rejects(wide.verify(token({}, { typ: "logout+jwt" })), { part: "typ" });
});

test("a verifier for one algorithm refuses the others", async () => {
  const narrow = new TokenVerifier({ keys, audience: "plumbline", clock, algorithms: ["EdDSA"] });
  await assert.rejects(narrow.verify(token()), { part: "alg", expected: "one of EdDSA" });
});

test("a verifier for an algorithm outside the closed list is not made", () => {
  const hs256 = ["ES256", "HS256"] as unknown as ["ES256"];
  assert.throws(() => new TokenVerifier({ keys, audience: "plumbline", algorithms: hs256 }), /HS256/);
});

test("a verifier without an audience is not made", () => {
  assert.throws(() => new TokenVerifier({ keys, audience: "" }), /audience/);
});

test("the public key of a test is the one that the issuer publishes", () => {
  // Guards the forgeries above: with another key they would be refused for the wrong reason.
  assert(createPublicKey({ format: "jwk", key: jwkOf(es, "es") }).equals(es.publicKey));
});

for (const [name, headers, expected] of [
  ["no header", [], "TOKEN_MISSING"],
  ["Basic", ["Basic YWRhOmFkYQ=="], "TOKEN_INVALID"],
  ["Bearer alone", ["Bearer"], "TOKEN_INVALID"],
  ["Bearer and a space", ["Bearer "], "TOKEN_INVALID"],
  ["an empty header", [""], "TOKEN_INVALID"],
  ["two tokens in one header", ["Bearer a b"], "TOKEN_INVALID"],
  ["two tokens with a comma", ["Bearer a, Bearer b"], "TOKEN_INVALID"],
  ["two headers", ["Bearer a", "Bearer a"], "TOKEN_INVALID"],
  ["characters that no token has", ["Bearer a\u00e9"], "TOKEN_INVALID"],
] as const) {
  test(`${name} is ${expected}`, () => {
    assert.throws(() => bearerToken(headers), { reason: expected });
  });
}

for (const header of ["Bearer a.b-c_d", "bearer a.b-c_d", "BEARER   a.b-c_d"]) {
  test(`the token of "${header}" is found`, () => {
    assert.equal(bearerToken([header]), "a.b-c_d");
  });
}
