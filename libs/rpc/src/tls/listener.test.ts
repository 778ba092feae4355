import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, Socket } from "node:net";
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

async function silent(port: number, localAddress = "127.0.0.1") {
  const socket = connect({ port, host: "127.0.0.1", localAddress }).on("error", () => {});
  await once(socket, "connect");
  return socket;
}

const tooMany = (failures: readonly TlsFailure[]) => failures.filter(({ reason }) => reason === "too_many");

function secured(port: number): TLSSocket {
  return connectTls({ host: "127.0.0.1", port, ca, ALPNProtocols: ["h2"] }).on("error", () => {});
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

test("at the bound the oldest handshake ends, and one that is complete frees its place", { timeout }, async () => {
  await using server = await open({ maxHandshakes: 2, maxHandshakesPerPeer: 2 });
  const held = [await silent(server.port), await silent(server.port)];
  const ended = once(held[0]!, "close");
  const third = secured(server.port);
  await Promise.all([ended, once(third, "secureConnect")]);
  await server.until(() => server.sockets.length === 1); // Completed handshakes do not count.
  const fourth = secured(server.port);
  await once(fourth, "secureConnect");
  assert.deepEqual([tooMany(server.failures).length, held[1]!.destroyed], [1, false]);
  for (const socket of [...held, third, fourth]) socket.destroy();
});

test("one address that holds handshakes takes none of another's", { timeout: 30_000 }, async () => {
  await using server = await open({ maxHandshakes: 10, maxHandshakesPerPeer: 3 });
  const own = await silent(server.port);
  const held = [];
  for (let i = 0; i < 20; i++) held.push(await silent(server.port, "127.0.0.66"));
  await server.until(() => tooMany(server.failures).length === 17);
  const good = secured(server.port);
  await once(good, "secureConnect");
  assert.deepEqual(
    [own.destroyed, tooMany(server.failures).every(({ peer }) => peer.startsWith("127.0.0.66:"))],
    [false, true],
  );
  for (const socket of [own, good, ...held]) socket.destroy();
});

test("connections that are lost before their address is known keep no place", { timeout }, async () => {
  await using server = await open({ maxHandshakesPerPeer: 2 });
  for (let round = 0; round < 3; round++) {
    // The system knows no address of a socket that was reset.
    const lost = [new Socket(), new Socket()];
    for (const socket of lost) server.listener.emit("connection", socket);
    await Promise.all(lost.map((socket) => (socket.closed ? Promise.resolve() : once(socket.destroy(), "close"))));
  }
  assert.deepEqual(tooMany(server.failures), []);
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
