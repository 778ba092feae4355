import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import { test } from "node:test";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { ca, server as certified } from "../conformance/certificates.ts";
import { dialTls } from "./dial.ts";
import { type TlsFailure, TlsListener, type TlsListenerOptions } from "./listener.ts";

const timeout = 5_000;

async function open(options: Partial<TlsListenerOptions> = {}) {
  const sockets: TLSSocket[] = [];
  const failures: TlsFailure[] = [];
  const changed = new Set<() => void>();
  const tell = (): void => {
    for (const resolve of changed) resolve();
  };
  const listener = new TlsListener(
    (socket) => {
      sockets.push(socket.on("error", () => {}));
      tell();
    },
    {
      tls: () => pair,
      onFailure: (failure) => {
        failures.push(failure);
        tell();
      },
      ...options,
    },
  );
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  return {
    port,
    sockets,
    failures,
    listener,
    async until(done: () => boolean): Promise<void> {
      while (!done()) await new Promise<void>((resolve) => changed.add(resolve));
    },
    async [Symbol.asyncDispose](): Promise<void> {
      for (const socket of sockets) socket.destroy();
      if (listener.listening) await new Promise((resolve) => listener.close(resolve));
    },
  };
}

const pair = { cert: certified.certificate, key: certified.key };

async function silent(port: number) {
  const socket = connect(port, "127.0.0.1").on("error", () => {});
  await once(socket, "connect");
  return socket;
}

function secured(port: number): TLSSocket {
  return connectTls({ host: "127.0.0.1", port, ca, ALPNProtocols: ["h2"] }).on("error", () => {});
}

async function succeeds(socket: TLSSocket): Promise<boolean> {
  return await once(socket, "secureConnect").then(
    () => true,
    () => false,
  );
}

test("a silent client is closed after the handshake timeout", { timeout }, async () => {
  await using server = await open({ handshakeTimeoutMs: 50 });
  const socket = await silent(server.port);
  await once(socket, "close");
  await server.until(() => server.failures.length > 0);
  assert.deepEqual(
    server.failures.map(({ reason }) => reason),
    ["timeout"],
  );
});

test("handshakes above the bound are closed at once, and one that ends frees its place", { timeout }, async () => {
  await using server = await open({ maxHandshakes: 2 });
  const held = [await silent(server.port), await silent(server.port)];
  const third = secured(server.port);
  await new Promise((resolve) => third.once("close", resolve));
  assert.equal(server.failures[0]?.reason, "too_many");
  held[0]?.destroy();
  let fourth = secured(server.port);
  while (!(await succeeds(fourth))) fourth = secured(server.port);
  await server.until(() => server.sockets.length === 1); // Completed handshakes do not count.
  const fifth = secured(server.port);
  await once(fifth, "secureConnect");
  for (const socket of [...held, fourth, fifth]) socket.destroy();
});

test("closing ends handshakes in progress, and keeps established connections", { timeout }, async () => {
  await using server = await open();
  const good = secured(server.port);
  await once(good, "secureConnect");
  const socket = await silent(server.port);
  await once(secured(server.port), "secureConnect"); // By then the silent socket was accepted.
  await server.until(() => server.sockets.length === 2);
  const closed = once(server.listener, "close");
  const gone = once(socket, "close");
  server.listener.close();
  await gone;
  assert.equal(good.destroyed, false);
  for (const each of server.sockets) each.destroy();
  await closed;
});

test("a client that does not speak TLS is counted apart from one that only connects", { timeout }, async () => {
  await using server = await open();
  const plain = await silent(server.port);
  plain.end("GET / HTTP/1.1\r\n\r\n");
  await server.until(() => server.failures.length === 1);
  (await silent(server.port)).end();
  await server.until(() => server.failures.length === 2);
  assert.deepEqual(
    server.failures.map(({ reason }) => reason),
    ["protocol", "closed"],
  );
  assert.match(server.failures[0]?.peer ?? "", /^127\.0\.0\.1:\d+$/);
});

test("TLS 1.2 is limited to the ciphers that HTTP/2 allows, and older versions are rejected", { timeout }, async () => {
  await using server = await open();
  const options = { host: "127.0.0.1", port: server.port, ca, ALPNProtocols: ["h2"] };
  const twelve = connectTls({ ...options, maxVersion: "TLSv1.2" });
  await once(twelve, "secureConnect");
  assert.match(twelve.getCipher().name, /^ECDHE-ECDSA-.*(GCM|POLY1305)/);
  twelve.destroy();
  for (const wrong of [
    { maxVersion: "TLSv1.1", minVersion: "TLSv1.1" } as const,
    { maxVersion: "TLSv1.2", ciphers: "ECDHE-ECDSA-AES128-SHA256" } as const,
  ]) {
    await assert.rejects(once(connectTls({ ...options, ...wrong }), "secureConnect"));
  }
});

test("a client that does not offer HTTP/2 gets a text that says so", { timeout }, async () => {
  await using server = await open();
  const socket = connectTls({ host: "127.0.0.1", port: server.port, ca });
  assert.match(Buffer.concat(await socket.toArray()).toString(), /offer "h2" by ALPN/);
  assert.deepEqual(
    server.failures.map(({ reason }) => reason),
    ["alpn"],
  );
});

test("a client disconnects from a server that does not speak HTTP/2", { timeout }, async () => {
  await using server = await open({ tls: () => ({ ...pair, ALPNProtocols: ["http/1.1"] }) });
  const socket = dialTls({ host: "127.0.0.1", port: server.port }, { ca });
  const [error] = (await once(socket, "error")) as [Error];
  assert.match(error.message, /ALPN h2/);
});
