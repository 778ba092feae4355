import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { newAuthority } from "@plumbline/tools-engines";
import {
  authorizationFor,
  credentialsIn,
  fetchAs,
  hasCredentials,
  issuerVariables,
  tokenOf,
  trustAuthority,
  useCredentials,
} from "./identity.ts";

/** A gateway and its issuer at one address. A client's first token is NAME-1. */
async function system({ asks = true, isForDevelopment = true, refused = [] as readonly string[] } = {}) {
  const tokens: string[] = [];
  const bad = new Set(refused.map((token) => `Bearer ${token}`));
  const server = createServer(({ url: path = "", headers }, response) => {
    const documents: Record<string, object> = {
      "/.well-known/oauth-protected-resource": { authorization_servers: [url] },
      "/.well-known/openid-configuration": { issuer: url, plumbline_development_issuer: isForDevelopment },
      "/v1/orders": { sentBy: headers.authorization ?? "nobody" },
    };
    if (!asks && path !== "/v1/orders") return response.writeHead(404).end();
    if (path === "/v1/orders" && bad.has(headers.authorization ?? "")) return response.writeHead(401).end();
    const document = documents[path];
    if (document !== undefined) return response.end(JSON.stringify(document));
    tokens.push(`${path.slice(1)}-${tokens.length + 1}`);
    return response.end(`Authorization: Bearer ${tokens.at(-1)}\n`);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const senderOf = async (...client: string[]) =>
    ((await (await fetchAs(`${url}/v1/orders`, {}, ...client)).json()) as { sentBy: string }).sentBy;
  const close = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  };
  const refuse = (...more: readonly string[]) => more.forEach((token) => bad.add(`Bearer ${token}`));
  return { url, tokens, senderOf, refuse, [Symbol.asyncDispose]: close };
}

test("a gateway names its issuer, and each client gets one token of it for many requests", async () => {
  await using running = await system();
  assert.equal(hasCredentials(running.url), false);
  assert.equal(await running.senderOf("operator"), "Bearer operator-1");
  assert.equal(await running.senderOf("ada"), "Bearer ada-2");
  assert.equal(await running.senderOf("operator"), "Bearer operator-1");
  assert.deepEqual(running.tokens, ["operator-1", "ada-2"]);
  assert.equal(hasCredentials(running.url), true);
});

test("requests share 20 operators, and those with one idempotency key have one", async () => {
  await using running = await system();
  const callers = new Set<string>();
  for (let index = 0; index < 400; index++) callers.add(await running.senderOf());
  assert.equal(callers.size, 20);
  const keyed = { headers: { "idempotency-key": "one" } };
  const answers = await Promise.all(Array.from({ length: 10 }, () => fetchAs(`${running.url}/v1/orders`, keyed)));
  assert.equal(new Set(await Promise.all(answers.map((answer) => answer.text()))).size, 1);
});

test("a token that is refused is replaced once", async () => {
  await using running = await system({ refused: ["ada-1"] });
  assert.equal(await running.senderOf("ada"), "Bearer ada-2");
  assert.equal((await fetchAs(`${running.url}/v1/orders`, {}, "bob")).status, 200);
  running.refuse("bob-3", "bob-4");
  assert.equal((await fetchAs(`${running.url}/v1/orders`, {}, "bob")).status, 401);
});

test("a gateway that asks for no tokens gets none", async () => {
  await using running = await system({ asks: false });
  assert.equal(await running.senderOf(), "nobody");
  assert.deepEqual(await authorizationFor(running.url), {});
});

test("an issuer that is not for development is named, and not asked for a token", async () => {
  await using running = await system({ isForDevelopment: false });
  await assert.rejects(running.senderOf(), /takes tokens of http:\S+, which is no issuer for development/);
  assert.deepEqual(running.tokens, []);
});

test("the files of an issuer are read for each request, and the gateway is not asked", async () => {
  await using running = await system();
  const folder = mkdtempSync(join(tmpdir(), "tokens-"));
  try {
    useCredentials(running.url, credentialsIn(folder));
    for (const token of ["one", "two"]) {
      writeFileSync(join(folder, "bob"), `Authorization: Bearer ${token}\n`);
      assert.equal(await running.senderOf("bob"), `Bearer ${token}`);
    }
    assert.deepEqual(running.tokens, []);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** Returns a certificate for a name, and the file of its authority. */
function pairOf(folder: string, name: string) {
  const authority = newAuthority("tests");
  const file = join(folder, `${name}.pem`);
  writeFileSync(file, authority.certificate);
  const { certificate: cert, key } = authority.issue({ name, dnsNames: [name] });
  return { key, cert, file };
}

test("an issuer whose name leads nowhere is asked at its address, with its name in the certificate", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "plumbline-identity-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const own = pairOf(folder, "issuer.invalid");
  let issuer = "";
  const server = createTlsServer(own, ({ url = "" }, response) => {
    const isDocument = url === "/.well-known/openid-configuration";
    response.end(
      isDocument ? JSON.stringify({ issuer, plumbline_development_issuer: true }) : `Bearer ${url.slice(1)}`,
    );
  }).listen(0, "127.0.0.1");
  const gateway = createServer((_request, response) => {
    response.end(JSON.stringify({ authorization_servers: [issuer] }));
  }).listen(0, "127.0.0.1");
  t.after(() => [server, gateway].forEach((one) => one.close()));
  await Promise.all([server, gateway].map((one) => once(one, "listening")));
  issuer = `https://issuer.invalid:${(server.address() as AddressInfo).port}`;
  const url = `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`;
  t.after(() => Object.values(issuerVariables).forEach((name) => delete process.env[name]));

  process.env[issuerVariables.address] = "127.0.0.1";
  process.env[issuerVariables.authority] = pairOf(folder, "another").file;
  await assert.rejects(
    authorizationFor(url, "ada"),
    /unable to verify the first certificate|certificate signature failure/,
  );
  process.env[issuerVariables.authority] = own.file;
  assert.deepEqual(await authorizationFor(url, "ada"), { authorization: "Bearer ada" });
});

test("an issuer on localhost is asked if its authority was trusted before, whatever compose has written", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "plumbline-identity-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const own = pairOf(folder, "localhost");
  let issuer = "";
  const server = createTlsServer(own, ({ method }, response) => {
    response.end(JSON.stringify(method === "POST" ? { access_token: "t" } : { plumbline_development_issuer: true }));
  }).listen(0);
  const gateway = createServer((_request, response) => {
    response.end(JSON.stringify({ authorization_servers: [issuer] }));
  }).listen(0, "127.0.0.1");
  t.after(() => {
    server.closeAllConnections();
    for (const one of [server, gateway]) one.close();
  });
  await Promise.all([server, gateway].map((one) => once(one, "listening")));
  issuer = `https://localhost:${(server.address() as AddressInfo).port}`;
  const url = `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`;
  await assert.rejects(tokenOf(url, "ada", []), /docker compose up writes|fetch failed/);
  await trustAuthority(own.file);
  assert.equal(await tokenOf(url, "ada", ["orders:read"]), "t");
});
