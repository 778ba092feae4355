import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { env, loadConfig } from "@plumbline/config";
import { startIssuer } from "@plumbline/issuer";
import { testCa, testClient, testServer } from "@plumbline/rpc/conformance";
import { type Authority, newAuthority, runService } from "@plumbline/tools-engines";
import { GatewayConfig } from "../src/config.ts";
import { readEvents } from "./support/event-stream.ts";
import { startGateway as start } from "./support/gateway-process.ts";
import { orderOf } from "./support/grpc-services.ts";
import { keysFile, testKey } from "./support/keys-file.ts";
import { replaceFile } from "./support/replace-file.ts";

/** Sends a request over a kept connection. Returns its status, or the error. */
function get(agent: Agent, port: number, path: string): Promise<number | string> {
  return new Promise((resolve) => {
    const sent = request({ agent, port, host: "127.0.0.1", path }, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode ?? 0));
      response.on("error", (error) => resolve(`cut: ${error.message}`));
    });
    sent.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    sent.end();
  });
}

test("services are called over TLS if a CA is set, and without TLS if none is", async () => {
  const folder = await mkdtemp(join(tmpdir(), "gateway-tls-"));
  const put = async (name: string, text: string): Promise<string> => {
    await writeFile(join(folder, name), text);
    return join(folder, name);
  };
  try {
    const tls = { ...testServer, clientCa: testCa };
    const files = {
      GATEWAY_UPSTREAM_TLS_CA_FILE: await put("ca.crt", testCa),
      GATEWAY_UPSTREAM_TLS_CERTIFICATE_FILE: await put("tls.crt", testClient.certificate),
      GATEWAY_UPSTREAM_TLS_KEY_FILE: await put("tls.key", testClient.key),
    };
    for (const GATEWAY_TRANSPORT of ["grpc-js", "http2"]) {
      await using gateway = await start({ tls }, { ...files, GATEWAY_TRANSPORT });
      assert.equal((await fetch(`${gateway.url}/v1/orders/7`)).status, 200);
    }
    await using trusting = await start({ tls });
    assert.equal((await fetch(`${trusting.url}/v1/orders/7`)).status, 503);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("each service may be known by the SPIFFE id of its certificate, which then needs no DNS name", async () => {
  const folder = await mkdtemp(join(tmpdir(), "gateway-ids-"));
  try {
    const authority = newAuthority("gateway tests");
    const tls = authority.issue({ name: "orders", uris: ["spiffe://plumbline.test/orders"] });
    const caFile = join(folder, "ca.crt");
    await writeFile(caFile, authority.certificate);
    const settings = {
      GATEWAY_UPSTREAM_TLS_CA_FILE: caFile,
      GATEWAY_UPSTREAM_IDS_ORDERS: "spiffe://plumbline.test/orders",
      GATEWAY_UPSTREAM_IDS_GREETER: "spiffe://plumbline.test/greeter",
    };
    await using gateway = await start({ tls }, settings);
    const status = async (path: string) => (await fetch(`${gateway.url}${path}`)).status;
    // All services of this test are one server.
    assert.deepEqual([await status("/v1/orders/7"), await status("/v1/greetings/World")], [200, 503]);
  } finally {
    await rm(folder, { recursive: true });
  }
  const ids = { GATEWAY_AUTH_OFF: "true", GATEWAY_HTTP_HOST: "127.0.0.1", GATEWAY_UPSTREAM_IDS_ORDERS: "orders" };
  const message = /upstreamIds\.orders[^]*expected SPIFFE ids of one trust domain/;
  await assert.rejects(loadConfig(GatewayConfig, [env("GATEWAY", ids)]), message);
  const plain = { ...ids, GATEWAY_UPSTREAM_IDS_ORDERS: "spiffe://plumbline.test/orders" };
  const needed = /upstreamTls\.caFile[^]*required with upstreamIds/;
  await assert.rejects(loadConfig(GatewayConfig, [env("GATEWAY", plain)]), needed);
});

test("the process asks for tokens, and does not start with an issuer for development that others can reach", async () => {
  await using issuer = await startIssuer({ port: 0 });
  const settings = { GATEWAY_AUTH_ISSUER: issuer.url };
  await using gateway = await start({}, settings);
  const status = async (headers: Record<string, string>) =>
    (await fetch(`${gateway.url}/v1/orders/7`, { headers })).status;
  assert.equal(await status({}), 401);
  assert.equal(await status({ authorization: `Bearer ${await issuer.token("ada")}` }), 200);
  await assert.rejects(start({}, { ...settings, GATEWAY_HTTP_HOST: "0.0.0.0" }), /this is a development issuer/);
  await using allowed = await start(
    {},
    { ...settings, GATEWAY_HTTP_HOST: "0.0.0.0", GATEWAY_AUTH_DEVELOPMENT_ISSUER: "true" },
  );
  assert.equal((await fetch(`${allowed.url}/v1/orders/7`)).status, 401);
});

test("the authority of the issuer is the one in its file, also after a change", async () => {
  const folder = await mkdtemp(join(tmpdir(), "gateway-issuer-ca-"));
  const caFile = join(folder, "ca.crt");
  const trust = ({ certificate }: Authority): Promise<void> => replaceFile(caFile, certificate);
  try {
    const [own, other] = [newAuthority("issuer"), newAuthority("other")];
    const pair = own.issue({ name: "issuer", addresses: ["127.0.0.1"] });
    await using issuer = await startIssuer({ port: 0, tls: () => pair });
    await trust(other);
    await using gateway = await start({}, { GATEWAY_AUTH_ISSUER: issuer.url, GATEWAY_AUTH_CA_FILE: caFile });
    const authorization = `Bearer ${await issuer.token("ada")}`;
    const status = async () => (await fetch(`${gateway.url}/v1/orders/7`, { headers: { authorization } })).status;
    assert.equal(await status(), 503);
    await trust(own);
    // Without keys the gateway asks for them every three seconds.
    for (const limit = AbortSignal.timeout(60_000); (await status()) !== 200; await sleep(50)) limit.throwIfAborted();
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("without an issuer the process starts only if a setting says that everybody may call, and warns (negative 48)", async () => {
  const ports = { GATEWAY_HTTP_HOST: "127.0.0.1", GATEWAY_HTTP_PORT: "0", GATEWAY_OPS_PORT: "0" };
  const unset = await runService("gateway", ports);
  assert.equal(unset.code, 1);
  assert.match(unset.output, /auth\.issuer[^]*GATEWAY_AUTH_ISSUER[^]*the issuer of access tokens; or auth\.off/);
  const both = { GATEWAY_AUTH_OFF: "true", GATEWAY_AUTH_ISSUER: "https://id.example.com" };
  const contradiction = await runService("gateway", { ...ports, ...both });
  assert.equal(contradiction.code, 1);
  assert.match(contradiction.output, /auth\.off[^]*expected false with an issuer/);
  await using open = await start({}, { GATEWAY_AUTH_OFF: "true" });
  assert.equal((await fetch(`${open.url}/v1/orders/7`)).status, 200);
  const [warning] = open.process.lines("auth.off is true");
  assert.equal(warning?.["level"], "warn");
});

test("without tokens the process starts at loopback addresses only (negative 48)", async () => {
  const wanted = /auth\.off[^]*expected false where other machines reach http\.host: set auth\.issuer/;
  for (const host of ["0.0.0.0", "::", "192.0.2.1", "gateway.example"]) {
    const settings = env("GATEWAY", { GATEWAY_AUTH_OFF: "true", GATEWAY_HTTP_HOST: host });
    await assert.rejects(loadConfig(GatewayConfig, [settings]), wanted, host);
  }
  // 0.0.0.0 is the default.
  const settings = { GATEWAY_HTTP_PORT: "0", GATEWAY_OPS_PORT: "0", GATEWAY_AUTH_OFF: "true" };
  const refused = await runService("gateway", settings);
  assert.equal(refused.code, 1);
  assert.match(refused.output, wanted);
  await using local = await start({}, { GATEWAY_AUTH_OFF: "true", GATEWAY_HTTP_HOST: "localhost" });
  assert.equal((await fetch(`http://localhost:${local.port}/v1/orders/7`)).status, 200);
});

test("a caller that the file denies is refused while the process runs, and its watch ends (negative 30)", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "gateway-denied-"));
  const path = join(folder, "gateway.yaml");
  const deny = (...subjects: string[]): Promise<void> =>
    replaceFile(path, JSON.stringify({ auth: { denied: { subjects } } }));
  try {
    await deny();
    await using issuer = await startIssuer({ port: 0 });
    await using gateway = await start({}, { GATEWAY_AUTH_ISSUER: issuer.url, GATEWAY_CONFIG_FILE: path });
    const get = async (client: string, rest = "") =>
      fetch(`${gateway.url}/v1/orders/7${rest}`, {
        headers: { authorization: `Bearer ${await issuer.token(client)}` },
      });
    assert.deepEqual([(await get("ada")).status, (await get("bob")).status], [200, 200]);
    const watch = await get("ada", ":watch");
    assert.equal(watch.status, 200);

    await deny("ada");
    const saved = performance.now();
    assert.match(await watch.text(), /: reconnect\n\n$/);
    const refused = await get("ada");
    t.diagnostic(`denied ${Math.round(performance.now() - saved)} ms after the file was saved`);
    assert.equal(refused.status, 401);
    assert.equal(((await refused.json()) as { readonly reason: string }).reason, "TOKEN_INVALID");
    assert.equal((await get("bob")).status, 200);

    await deny();
    const limit = AbortSignal.timeout(20_000);
    while ((await get("ada")).status !== 200) limit.throwIfAborted();
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("a key of the file is taken, and refused once it is removed while the process runs (negative 30)", async (t) => {
  const key = testKey("ada");
  await using file = await keysFile(key);
  await using issuer = await startIssuer({ port: 0 });
  const settings = { GATEWAY_AUTH_ISSUER: issuer.url, GATEWAY_AUTH_API_KEYS_FILE: file.path };
  await using gateway = await start({}, settings);
  const get = (rest = "") =>
    fetch(`${gateway.url}/v1/orders/7${rest}`, { headers: { authorization: `Bearer ${key.text}` } });
  assert.equal((await get()).status, 200);
  const watch = await get(":watch");
  assert.equal(watch.status, 200);
  await file.put();
  const saved = performance.now();
  assert.match(await watch.text(), /: reconnect\n\n$/);
  assert.equal((await get()).status, 401);
  t.diagnostic(`refused ${Math.round(performance.now() - saved)} ms after the file was saved`);
  assert.deepEqual(
    gateway.process.lines("the API keys were read").map(({ keys }) => keys),
    [1, 0],
  );
});

describe("SIGTERM", () => {
  test("under load answers every accepted request and exits with 0 within the grace period", async () => {
    const accepted = new Set<string>();
    await using gateway = await start({
      getOrder: async (id) => {
        accepted.add(id);
        await sleep(20);
        return orderOf({ id });
      },
    });
    const answers = new Map<string, number | string>();
    const agent = new Agent({ keepAlive: true, maxSockets: 32 });
    let stopping = false;
    let next = 0;
    const client = async (): Promise<void> => {
      for (;;) {
        const id = `o${next++}`;
        const answer = await get(agent, gateway.port, `/v1/orders/${id}`);
        answers.set(id, answer);
        // New connections are refused once the port is closed: this client is then done.
        if (stopping && answer !== 200) return;
      }
    };
    const clients = Array.from({ length: 32 }, client);
    while (answers.size < 200) await sleep(5);
    stopping = true;
    const asked = performance.now();
    gateway.process.child.kill("SIGTERM");
    const [code] = await gateway.process.exited;
    const tookMs = performance.now() - asked;
    await Promise.all(clients);
    agent.destroy();

    assert.equal(code, 0);
    assert.ok(tookMs < 5000, `${tookMs} ms`);
    const lost = [...accepted].filter((id) => answers.get(id) !== 200);
    assert.deepEqual(
      lost.map((id) => `${id}: ${answers.get(id)}`),
      [],
    );
    assert.ok(accepted.size > 200, `${accepted.size}`);
    const failures = [...answers.values()].filter((answer) => answer !== 200);
    assert.ok(
      failures.every((failure) => failure === "ECONNREFUSED" || failure === "ECONNRESET"),
      String(failures),
    );
  });

  test("ends open streams at once and asks their clients to reconnect", async () => {
    await using gateway = await start({});
    const events = readEvents(await fetch(`${gateway.url}/v1/orders/7:watch`));
    await events.next();
    assert.equal((await events.next()).value?.id, "1");
    gateway.process.child.kill("SIGTERM");
    assert.equal((await events.next()).value?.comment, "reconnect");
    assert.equal((await events.next()).done, true);
    assert.deepEqual(await gateway.process.exited, [0, null]);
  });

  test("makes the gateway unready, but it serves and closes connections while it drains", async () => {
    await using gateway = await start({}, { GATEWAY_DRAIN_MS: "1500" });
    assert.equal((await fetch(`${gateway.url}/readyz`)).status, 200);
    gateway.process.child.kill("SIGTERM");
    let ready = await fetch(`${gateway.url}/readyz`);
    while (ready.status === 200) ready = await fetch(`${gateway.url}/readyz`);
    assert.equal(ready.status, 503);
    const response = await fetch(`${gateway.url}/v1/orders/7`);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("connection"), "close");
    assert.deepEqual(await gateway.process.exited, [0, null]);
  });
});

test("a port in use is reported, with exit code 1", async () => {
  await using gateway = await start({});
  const { code, output } = await runService("gateway", {
    GATEWAY_HTTP_HOST: "127.0.0.1",
    GATEWAY_HTTP_PORT: String(gateway.port),
    GATEWAY_OPS_PORT: "0",
    GATEWAY_AUTH_OFF: "true",
  });
  assert.equal(code, 1);
  assert.match(output, new RegExp(`port ${gateway.port} of 127\\.0\\.0\\.1 cannot be opened: another process uses it`));
});
