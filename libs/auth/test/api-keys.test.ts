import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import {
  type ApiKeyEntry,
  ApiKeys,
  clientOfApiKey,
  DenyList,
  type KeySource,
  newApiKey,
  TokenVerifier,
  type Verification,
} from "../src/index.ts";
import { ApiKeysFile } from "../src/settings.ts";
import { TestClock } from "./tokens.ts";

const at = (ms: number): string => new Date(ms).toISOString();

/** An issuer without keys, so that only API keys are taken. It counts what it is asked. */
function keyless() {
  const asked: (string | undefined)[] = [];
  const keys: KeySource = {
    issuer: "https://id.example.com",
    find: async (id) => {
      asked.push(id);
      throw new Error("no key of the issuer is needed for an API key");
    },
    isCurrent: () => false,
    ageMs: undefined,
    [Symbol.asyncDispose]: async () => {},
  };
  return { asked, keys };
}

/** A verifier with one key of Ada, which is valid for a minute. */
function open(changes: Partial<ApiKeyEntry> = {}) {
  const clock = new TestClock();
  const denied = new DenyList();
  const apiKeys = new ApiKeys({ denied, clock });
  const { text, id, digest } = newApiKey();
  const entry: ApiKeyEntry = {
    id,
    digest,
    subject: "ada",
    scopes: ["orders:read"],
    created: at(clock.wallMs() - 1_000),
    until: at(clock.wallMs() + 60_000),
    ...changes,
  };
  apiKeys.replace([entry]);
  const seen: Verification[] = [];
  const { asked, keys } = keyless();
  const onVerified = (verification: Verification) => void seen.push(verification);
  const verifier = new TokenVerifier({ keys, audience: "plumbline", denied, apiKeys, clock, onVerified });
  return { clock, denied, apiKeys, text, entry, seen, asked, verifier };
}

/** Returns a text with its checksum, which is not computed by the code under test. */
function withChecksum(body: string): string {
  const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  let checksum = "";
  for (let rest = crc32(body); checksum.length < 6; rest = Math.floor(rest / 62))
    checksum = digits[rest % 62] + checksum;
  return `${body}_${checksum}`;
}

/** Returns a text with the character at `index` replaced by another letter. */
function changed(text: string, index: number): string {
  return `${text.slice(0, index)}${text[index] === "a" ? "b" : "a"}${text.slice(index + 1)}`;
}

const invalid = { reason: "TOKEN_INVALID", message: "the access token is invalid" };

test("a key has a prefix, an id, 256 random bits and a checksum, and its digest is that of the whole text", () => {
  const made = Array.from({ length: 200 }, newApiKey);
  for (const { text, id, digest } of made) {
    assert.match(text, /^plk_[0-9A-Za-z]{11}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}$/);
    assert.equal(text, withChecksum(text.slice(0, -7)));
    assert.equal(id, text.slice(4, 15));
    assert.equal(digest, createHash("sha256").update(text).digest("hex"));
  }
  const secrets = made.map(({ text }) => text.slice(16, 59));
  assert.equal(new Set(secrets).size, 200);
  assert.equal(new Set(made.map(({ id }) => id)).size, 200);
  // No position is constant.
  for (let index = 0; index < 43; index++) assert.ok(new Set(secrets.map((secret) => secret[index])).size > 1);
});

test("a key gives its subject, scopes and times, and its id as the client, without the issuer", async () => {
  const { verifier, text, entry, seen, asked, clock } = open();
  const principal = verifier.known(text);
  assert.deepEqual(principal, {
    subject: "ada",
    client: `plk_${entry.id}`,
    scopes: ["orders:read"],
    issuedMs: clock.wallMs() - 1_000,
    expiresMs: clock.wallMs() + 60_000,
  });
  assert.equal(await verifier.verify(text), principal);
  assert.ok(Object.isFrozen(principal) && Object.isFrozen(principal?.scopes));
  assert.deepEqual(seen, [
    { outcome: "ok", cache: "none" },
    { outcome: "ok", cache: "none" },
  ]);
  assert.deepEqual([asked, verifier.cachedTokens], [[], 0]);
});

const own = open();
const other = newApiKey().text;
const wrong: Readonly<Record<string, readonly [text: string, part: string]>> = {
  "a key that was never made for this service": [other, "API key's id"],
  "another secret under the id of a key": [
    withChecksum(`plk_${own.entry.id}_${other.slice(16, 59)}`),
    "API key's secret",
  ],
  "a typing error in the secret": [changed(own.text, 30), "API key"],
  "a typing error in the id": [changed(own.text, 5), "API key"],
  "a typing error in the checksum": [changed(own.text, own.text.length - 1), "API key"],
  "a key without its checksum": [own.text.slice(0, -7), "API key"],
  "a key that is a character too long": [withChecksum(`${own.text.slice(0, -7)}0`), "API key"],
  "the prefix alone": ["plk_", "API key"],
  "a text of 10,000 characters": [`plk_${"a".repeat(10_000)}`, "API key"],
  "a line break behind a key": [`${own.text}\n`, "API key"],
  "the digest in the place of the key": [`plk_${own.entry.digest}`, "API key"],
};

for (const [name, [text, part]] of Object.entries(wrong)) {
  test(`the verifier refuses ${name} as it refuses any token`, async () => {
    const { verifier, seen, asked } = own;
    seen.length = 0;
    assert.equal(verifier.known(text), undefined);
    await assert.rejects(verifier.verify(text), { ...invalid, part });
    assert.deepEqual([seen, asked], [[{ outcome: "invalid", cache: "none" }], []]);
    assert.equal(verifier.known(own.text)?.subject, "ada");
  });
}

test("a refusal holds nothing of the key", async () => {
  const { verifier, text, entry } = open();
  const error = await verifier.verify(changed(text, 30)).catch((reason: unknown) => reason);
  for (const piece of [entry.id, text.slice(20, 30)]) {
    assert.ok(!JSON.stringify(error, Object.getOwnPropertyNames(error)).includes(piece));
  }
});

test("a key ends at its time, which only its owner learns", async () => {
  const { verifier, text, entry, clock, seen } = open();
  clock.advance(59_999);
  assert.equal(verifier.known(text)?.subject, "ada");
  clock.advance(1);
  assert.equal(verifier.known(text), undefined);
  await assert.rejects(verifier.verify(text), { reason: "TOKEN_EXPIRED", part: "until" });
  assert.deepEqual(seen.at(-1), { outcome: "expired", cache: "none" });
  const guessed = withChecksum(`plk_${entry.id}_${newApiKey().text.slice(16, 59)}`);
  await assert.rejects(verifier.verify(guessed), invalid);
});

test("a key that is removed is refused from the next call on, and its streams end; others stay", async () => {
  const { apiKeys, verifier, denied, text, entry } = open();
  const second = newApiKey();
  const others = { ...entry, id: second.id, digest: second.digest, subject: "bob" };
  apiKeys.replace([entry, others]);
  const ended: string[] = [];
  const principals = [text, second.text].map((key) => verifier.known(key) ?? assert.fail("a good key is refused"));
  for (const principal of principals) denied.watch(principal, () => ended.push(principal.subject));
  apiKeys.replace([{ ...others }]);
  assert.deepEqual(ended, ["ada"]);
  assert.equal(verifier.known(text), undefined);
  await assert.rejects(verifier.verify(text), { ...invalid, part: "API key's id" });
  assert.equal(verifier.known(second.text), principals[1]);
  // A request that was admitted before the change opens its stream after it.
  denied.watch(principals[0] ?? assert.fail("no principal"), () => ended.push("late"));
  assert.deepEqual(ended, ["ada", "late"]);
});

const anew = newApiKey();
for (const [name, change] of Object.entries({
  scopes: { scopes: [] },
  subject: { subject: "bob" },
  until: { until: at(new TestClock().wallMs() + 30_000) },
  digest: { digest: anew.digest },
})) {
  test(`a key whose ${name} changes ends its streams, which come back with what holds now`, () => {
    const { apiKeys, verifier, denied, text, entry } = open();
    let ended = 0;
    denied.watch(verifier.known(text) ?? assert.fail("a good key is refused"), () => (ended += 1));
    apiKeys.replace([{ ...entry }]);
    assert.equal(ended, 0);
    apiKeys.replace([{ ...entry, ...change }]);
    assert.equal(ended, 1);
    const now = verifier.known(text);
    if (name === "digest") assert.equal(now, undefined);
    else assert.ok(now !== undefined && !denied.denies(now));
  });
}

test("the deny list refuses a key by its subject, by its id, and by the time it was made", async () => {
  const { verifier, denied, text, entry, seen, clock } = open();
  const lists = [
    { subjects: ["ada"] },
    { clients: [clientOfApiKey(entry.id)] },
    { issuedBeforeMs: clock.wallMs() - 999 },
  ];
  for (const list of lists) {
    denied.set({});
    const principal = verifier.known(text) ?? assert.fail("a good key is refused");
    let ended = 0;
    denied.watch(principal, () => (ended += 1));
    denied.set(list);
    assert.deepEqual([verifier.known(text), ended], [undefined, 1]);
    await assert.rejects(verifier.verify(text), { ...invalid, part: "deny list" });
    assert.deepEqual(seen.at(-1), { outcome: "denied", cache: "none" });
  }
  denied.set({ clients: ["plk_", entry.id], issuedBeforeMs: clock.wallMs() - 1_000 });
  assert.equal(verifier.known(text)?.subject, "ada");
});

test("a list of more than 1,000 clients is refused, and the old list stays", () => {
  const clients = Array.from({ length: 1_001 }, (_, index) => `c${index}`);
  const denied = new DenyList({ clients: clients.slice(1) });
  assert.throws(() => denied.set({ clients }), /^RangeError: 1001 denied clients: at most 1000/);
  const of = (client: string) => denied.denies({ subject: "s", client, scopes: [], issuedMs: 0, expiresMs: 1 });
  assert.deepEqual([of("c0"), of("c1"), of("c1000")], [false, true, true]);
});

test("a token beside API keys is verified by the issuer's keys", async () => {
  const { verifier, asked } = open();
  const header = Buffer.from(JSON.stringify({ alg: "ES256", typ: "at+jwt", kid: "first" })).toString("base64url");
  await assert.rejects(verifier.verify(`${header}.e30.e30`), /no key of the issuer/);
  assert.deepEqual(asked, ["first"]);
});

test("without API keys a key is a token that is no JWT", async () => {
  const { keys } = keyless();
  const verifier = new TokenVerifier({ keys, audience: "plumbline" });
  const { text } = newApiKey();
  assert.equal(verifier.known(text), undefined);
  await assert.rejects(verifier.verify(text), { ...invalid, part: "token" });
});

const { entry } = open();
for (const [name, change, path] of [
  ["an id of another form", { id: "plk_1" }, ["keys", 0, "id"]],
  ["a digest in capitals", { digest: entry.digest.toUpperCase().replace(/^./, "A") }, ["keys", 0, "digest"]],
  ["a short digest", { digest: entry.digest.slice(1) }, ["keys", 0, "digest"]],
  ["no subject", { subject: "" }, ["keys", 0, "subject"]],
  ["a subject of 65 characters", { subject: "s".repeat(65) }, ["keys", 0, "subject"]],
  ["a subject with a line break", { subject: "a\nb" }, ["keys", 0, "subject"]],
  ["no scopes", { scopes: [] }, ["keys", 0, "scopes"]],
  ["two scopes in one text", { scopes: ["orders:read orders:write"] }, ["keys", 0, "scopes", 0]],
  ["no end", { until: undefined }, ["keys", 0, "until"]],
  ["an end that is a day", { until: "2028-01-01" }, ["keys", 0, "until"]],
  ["an end that is a word", { until: "soon" }, ["keys", 0, "until"]],
  ["an end before its start", { until: at(Date.parse(entry.created)) }, ["keys", 0, "until"]],
  ["no start", { created: undefined }, ["keys", 0, "created"]],
  ["a long note", { note: "n".repeat(201) }, ["keys", 0, "note"]],
  ["a field that it does not know", { secret: "x" }, ["keys", 0]],
] as const) {
  test(`the file takes no key with ${name}, and the problem names the field`, () => {
    const { error } = ApiKeysFile.safeParse({ keys: [{ ...entry, ...change }] });
    assert.deepEqual(
      error?.issues.map((issue) => issue.path),
      [path],
    );
  });
}

test("the file takes 1,000 keys, each id once", () => {
  const keys = Array.from({ length: 1_001 }, () => ({ ...entry, note: "build", ...newApiKey(), text: undefined }));
  const written = JSON.parse(JSON.stringify(keys)) as ApiKeyEntry[];
  assert.equal(ApiKeysFile.parse({ keys: written.slice(1) }).keys.length, 1_000);
  assert.deepEqual(ApiKeysFile.parse({ keys: [] }).keys, []);
  assert.deepEqual(ApiKeysFile.safeParse({ keys: written }).error?.issues[0]?.path, ["keys"]);
  assert.match(ApiKeysFile.safeParse({ keys: [entry, entry] }).error?.issues[0]?.message ?? "", /each id once/);
  assert.equal(ApiKeysFile.safeParse({}).success, false);
});
