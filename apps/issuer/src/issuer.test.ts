import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { IssuerError, openKeySource, TokenVerifier } from "@plumbline/auth";
import { defaultClients } from "./clients.ts";
import { type Issuer, startIssuer } from "./start-issuer.ts";

interface Answer {
  readonly status: number;
  // oxlint-disable-next-line typescript/no-explicit-any -- tests read whatever came
  readonly body: any;
  readonly headers: Headers;
}

async function ask(url: string, init?: RequestInit): Promise<Answer> {
  const response = await fetch(url, { signal: AbortSignal.timeout(20_000), ...init });
  return { status: response.status, body: await response.json(), headers: response.headers };
}

const basic = (name: string, secret: string) => ({ authorization: `Basic ${btoa(`${name}:${secret}`)}` });

const grant = ({ url }: Issuer, fields: Record<string, string>, headers: Record<string, string> = {}) =>
  ask(`${url}/token`, {
    method: "POST",
    headers,
    body: new URLSearchParams({ grant_type: "client_credentials", ...fields }),
  });

/** Opens the verifier of a service that trusts the issuer. */
async function openVerifier({ url }: Issuer) {
  const keys = await openKeySource({ issuer: url, allowDevelopment: true });
  return {
    verify: (token: string) => new TokenVerifier({ keys, audience: "plumbline" }).verify(token),
    [Symbol.asyncDispose]: () => keys[Symbol.asyncDispose](),
  };
}

test("a token of ada is taken by the verifier of a service, with her scopes", async () => {
  await using issuer = await startIssuer({ port: 0 });
  await using verifier = await openVerifier(issuer);
  const { status, body, headers } = await grant(issuer, {}, basic("ada", "ada"));
  assert.deepEqual([status, body.token_type, body.expires_in], [200, "Bearer", 3_600]);
  assert.equal(headers.get("cache-control"), "no-store");
  const { subject, client, scopes, issuedMs, expiresMs } = await verifier.verify(body.access_token);
  assert.deepEqual([subject, client, scopes], ["ada", "ada", defaultClients["ada"]?.scopes]);
  assert.equal(expiresMs - issuedMs, 3_600_000);
});

test("ada-7 is another caller, with the scopes and the secret of ada; ada-100 is none", async () => {
  await using issuer = await startIssuer({ port: 0 });
  await using verifier = await openVerifier(issuer);
  const { status, body } = await grant(issuer, {}, basic("ada-7", "ada"));
  assert.equal(status, 200);
  const { subject, scopes } = await verifier.verify(body.access_token);
  assert.deepEqual([subject, scopes], ["ada-7", defaultClients["ada"]?.scopes]);
  for (const name of ["ada-0", "ada-100", "ada-x", "eve-1"]) {
    assert.equal((await grant(issuer, {}, basic(name, "ada"))).status, 401, name);
  }
});

test("a client may ask for fewer scopes, and prove itself in the form", async () => {
  await using issuer = await startIssuer({ port: 0 });
  await using verifier = await openVerifier(issuer);
  const { body } = await grant(issuer, { scope: "orders:read", client_id: "bob", client_secret: "bob" });
  assert.deepEqual((await verifier.verify(body.access_token)).scopes, ["orders:read"]);
});

test("its documents say that it is for development, and services refuse it unless a setting allows it", async () => {
  await using issuer = await startIssuer({ port: 0 });
  const refused = (error: unknown) => error instanceof IssuerError && error.message.includes("development issuer");
  await assert.rejects(openKeySource({ issuer: issuer.url }), refused);
  await assert.rejects(openKeySource({ issuer: issuer.url, jwksUri: `${issuer.url}/jwks` }), refused);
});

for (const { name, fields = {}, headers = {}, status, code } of [
  { name: "a wrong secret", headers: basic("ada", "bob"), status: 401, code: "invalid_client" },
  { name: "an unknown client", headers: basic("eve", "eve"), status: 401, code: "invalid_client" },
  { name: "a property of Object as a client", headers: basic("constructor", ""), status: 401, code: "invalid_client" },
  { name: "no client", status: 401, code: "invalid_client" },
  {
    name: "another grant",
    fields: { grant_type: "password" },
    headers: basic("ada", "ada"),
    status: 400,
    code: "unsupported_grant_type",
  },
  {
    name: "a scope that the client may not have",
    fields: { scope: "orders:read orders:operate" },
    headers: basic("ada", "ada"),
    status: 400,
    code: "invalid_scope",
  },
  { name: "a body of 5 KB", fields: { x: "x".repeat(5_000) }, status: 413, code: "invalid_request" },
  { name: "a page of another site", headers: { origin: "http://evil.example" }, status: 403, code: "invalid_request" },
] as {
  name: string;
  fields?: Record<string, string>;
  headers?: Record<string, string>;
  status: number;
  code: string;
}[]) {
  test(`${name} gets no token`, async () => {
    await using issuer = await startIssuer({ port: 0 });
    const answer = await grant(issuer, fields, headers);
    assert.deepEqual([answer.status, answer.body.error, answer.body.access_token], [status, code, undefined]);
  });
}

test("a name that was bound to this machine gets no token", async () => {
  await using issuer = await startIssuer({ port: 0 });
  const sent = request(`${issuer.url}/ada`, { headers: { host: "evil.example" } }).end();
  const [response] = await once(sent, "response");
  assert.equal(response.statusCode, 421);
  response.resume();
});

for (const { name, path, method = "GET", status } of [
  { name: "an unknown path", path: "/eve", status: 404 },
  { name: "a property of Object", path: "/toString", status: 404 },
  { name: "GET /token", path: "/token", status: 405 },
  { name: "GET /rotate", path: "/rotate", status: 405 },
  { name: "POST /ada", path: "/ada", method: "POST", status: 405 },
]) {
  test(`${name} is refused with ${status}`, async () => {
    await using issuer = await startIssuer({ port: 0 });
    assert.equal((await ask(`${issuer.url}${path}`, { method })).status, status);
  });
}

test("a rotation publishes a key before it signs, keeps the last one, and never has more than three", async () => {
  await using issuer = await startIssuer({ port: 0 });
  await using verifier = await openVerifier(issuer);
  const kids = async () => (await ask(`${issuer.url}/jwks`)).body.keys.map(({ kid }: { kid: string }) => kid);
  const kidOf = (token: string) => JSON.parse(Buffer.from(token.split(".")[0] ?? "", "base64url").toString()).kid;
  const [next, current] = await kids();
  const before = await issuer.token("ada");
  assert.equal(kidOf(before), current);

  assert.equal((await ask(`${issuer.url}/rotate`, { method: "POST" })).body.keys, 3);
  const after = await issuer.token("ada");
  assert.equal(kidOf(after), next);
  assert.ok((await kids()).includes(current));
  // The verifier has not fetched again: the new key was there before.
  await verifier.verify(after);
  await verifier.verify(before);

  await issuer.rotate();
  const last = await kids();
  assert.equal(last.length, 3);
  assert.ok(!last.includes(current));
});

test("its published keys are public", async () => {
  await using issuer = await startIssuer({ port: 0 });
  const { body } = await ask(`${issuer.url}/jwks`);
  for (const key of body.keys) assert.deepEqual(Object.keys(key).sort(), ["alg", "crv", "kid", "kty", "use", "x", "y"]);
});

test("each client has a file that only its owner may read, and that goes with the issuer", async () => {
  const folder = join(mkdtempSync(join(tmpdir(), "issuer-")), "tokens");
  try {
    await using issuer = await startIssuer({ port: 0, folder });
    await using verifier = await openVerifier(issuer);
    assert.deepEqual(readdirSync(folder).sort(), ["ada", "bob", "operator"]);
    assert.equal(statSync(join(folder, "bob")).mode & 0o777, 0o600);
    const line = readFileSync(join(folder, "bob"), "utf8");
    const [, token = ""] = /^Authorization: Bearer (\S+)\n$/.exec(line) ?? [];
    assert.equal((await verifier.verify(token)).subject, "bob");
    await issuer.rotate();
    assert.notEqual(readFileSync(join(folder, "bob"), "utf8"), line);
    await issuer[Symbol.asyncDispose]();
    assert.deepEqual(readdirSync(folder), []);
  } finally {
    rmSync(join(folder, ".."), { recursive: true });
  }
});

test("it is healthy once its files are there", async () => {
  const folder = mkdtempSync(join(tmpdir(), "issuer-"));
  try {
    const before = await startIssuer({ port: 0 });
    const { port } = before;
    await before[Symbol.asyncDispose]();
    const starting = startIssuer({ port, folder });
    for (;;) {
      const health = await ask(`http://127.0.0.1:${port}/healthz`).catch(() => undefined);
      if (health === undefined) continue; // It does not listen yet.
      assert.deepEqual([health.status, readdirSync(folder).sort()], [200, ["ada", "bob", "operator"]]);
      break;
    }
    await (await starting)[Symbol.asyncDispose]();
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("the files are written again at half the life of their tokens", async () => {
  const folder = mkdtempSync(join(tmpdir(), "issuer-"));
  try {
    await using issuer = await startIssuer({ port: 0, folder, tokenSeconds: 1 });
    const read = () => readFileSync(join(folder, "ada"), "utf8");
    const first = read();
    const limit = AbortSignal.timeout(20_000);
    while (read() === first) {
      limit.throwIfAborted();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.ok(issuer.port > 0);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a folder that cannot be written is an error of the start", async () => {
  const folder = mkdtempSync(join(tmpdir(), "issuer-"));
  const file = join(folder, "file");
  writeFileSync(file, "");
  try {
    await assert.rejects(startIssuer({ port: 0, folder: join(file, "below") }), /ENOTDIR/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("GET /ada is the line for curl, with a token that works", async () => {
  await using issuer = await startIssuer({ port: 0 });
  await using verifier = await openVerifier(issuer);
  const line = await (await fetch(`${issuer.url}/ada`)).text();
  assert.equal((await verifier.verify(line.trim().replace("Authorization: Bearer ", ""))).subject, "ada");
});
