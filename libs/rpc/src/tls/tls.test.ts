/** Tests of TLS faults, and of their reports on both sides, over every transport. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, connect as dialTcp } from "node:net";
import { describe, test } from "node:test";
import { connect as dialTls, createServer as serveTls, type TLSSocket } from "node:tls";
import { isServiceError } from "@plumbline/errors";
import { noTelemetry, type Telemetry } from "@plumbline/telemetry";
import { type ConnectOptions, connect } from "../client/connect.ts";
import { createClient } from "../client/create-client.ts";
import * as pem from "../conformance/certificates.ts";
import { Conformance, Moment, rejection } from "../conformance/test-context.ts";
import { type ServeOptions, serve } from "../server/serve.ts";
import { service } from "../server/service.ts";
import { type TransportName, transportNames } from "../transports/index.ts";
import type { ServerTls } from "./options.ts";

const { ca, otherCa, server, nextServer, expired, elsewhere, caller, stranger } = pem;
const timeout = 20_000;
/** A bound below the handshake timeout, which would end it too. */
const soon = { timeout: 5_000 };

const echo = service(Conformance, {
  unary: async (text, { peer }) => (text === "who am I?" ? peer : text),
  clientStream: async () => "",
  async *serverStream() {},
  async *bidiStream(requests) {
    yield* requests;
  },
});

function open(transport: TransportName, tls: ServeOptions["tls"], telemetry: Telemetry = noTelemetry) {
  const options = { host: "127.0.0.1", port: 0, transport, tls, graceMs: 1_000 };
  return serve({ services: [echo], telemetry }, options);
}

/** Resolves with the message of the error of the first call over a new channel. */
async function whyNot(transport: TransportName, port: number, tls: ConnectOptions["tls"], timeoutMs = 5_000) {
  await using channel = await connect(`127.0.0.1:${port}`, noTelemetry, { transport, tls, timeoutMs });
  const error = await rejection(createClient(Conformance, channel).unary(""));
  assert.ok(isServiceError(error), String(error));
  assert.equal(error.code, "unavailable", error.message);
  return error.message;
}

async function call(transport: TransportName, port: number, tls: ConnectOptions["tls"]): Promise<string> {
  await using channel = await connect(`127.0.0.1:${port}`, noTelemetry, { transport, tls, timeoutMs: 5_000 });
  return await createClient(Conformance, channel).unary("hi");
}

/** Returns a telemetry that keeps the reasons of failed handshakes, and errors. */
function remembering() {
  const reasons: string[] = [];
  const errors: string[] = [];
  const changed = new Set<() => void>();
  const tell = (list: string[], what: string): void => {
    list.push(what);
    for (const resolve of changed) resolve();
  };
  const counter = { inc: ({ reason }: { reason?: string }) => reason !== undefined && tell(reasons, reason) };
  const telemetry = {
    ...noTelemetry,
    metrics: { ...noTelemetry.metrics, counter: () => counter },
    logger: { ...noTelemetry.logger, error: (_: string, error: Error) => tell(errors, error.message) },
  } as unknown as Telemetry;
  const until = async (done: () => boolean): Promise<void> => {
    while (!done()) await new Promise<void>((resolve) => changed.add(resolve));
  };
  return { telemetry, reasons, errors, until };
}

/** Listens with a plain TLS or TCP server for one test. */
async function listening(stack: AsyncDisposableStack, raw: ReturnType<typeof createServer>): Promise<number> {
  raw.listen(0, "127.0.0.1");
  await once(raw, "listening");
  const sockets = new Set<{ destroy(): void }>();
  raw.on("connection", (socket) => sockets.add(socket));
  stack.defer(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => raw.close(resolve));
  });
  return (raw.address() as AddressInfo).port;
}

/** Resolves with the name on the certificate that a port shows. */
async function shown(port: number): Promise<string | string[] | undefined> {
  const socket = dialTls({ host: "127.0.0.1", port, ca, ALPNProtocols: ["h2"] });
  await once(socket, "secureConnect");
  const { CN } = socket.getPeerCertificate().subject;
  socket.destroy();
  return CN;
}

void test("a silent server times out after 10 s", { timeout }, async () => {
  await using stack = new AsyncDisposableStack();
  const port = await listening(stack, createServer());
  const begun = performance.now();
  const gaveUp = transportNames.map(async (transport) => {
    assert.match(await whyNot(transport, port, { ca }, 15_000), /TLS handshake/);
    const took = performance.now() - begun;
    assert.ok(took > 9_000 && took < 14_000, `${transport}: ${took} ms`);
  });
  await Promise.all(gaveUp);
});

for (const transport of transportNames) {
  void describe(`TLS over ${transport}`, { timeout }, () => {
    void test("a client names the fault of the server's certificate", async () => {
      await using good = await open(transport, server);
      assert.match(await whyNot(transport, good.port, { ca: otherCa }), /an authority that is not trusted here/);
      assert.match(await whyNot(transport, good.port, {}), /an authority that is not trusted here/);
      await using old = await open(transport, expired);
      assert.match(await whyNot(transport, old.port, { ca }), /the server's certificate has expired/);
      await using other = await open(transport, elsewhere);
      assert.match(await whyNot(transport, other.port, { ca }), /is not for 127\.0\.0\.1.*elsewhere\.test/);
      assert.match(
        await whyNot(transport, good.port, { ca, serverName: "elsewhere.test" }),
        /is not for elsewhere\.test/,
      );
      assert.equal(await call(transport, other.port, { ca, serverName: "elsewhere.test" }), "hi");
    });

    void test("the certificate must have the name in the target", async () => {
      await using running = await open(transport, server);
      const options = { transport, tls: { ca }, timeoutMs: 5_000 };
      await using channel = await connect(`dns:///localhost:${running.port}`, noTelemetry, options);
      assert.equal(await createClient(Conformance, channel).unary("hi"), "hi");
    });

    void test("a handler gets the client's address, as without TLS", async () => {
      await using running = await open(transport, server);
      const options = { transport, tls: { ca }, timeoutMs: 5_000 };
      await using channel = await connect(`127.0.0.1:${running.port}`, noTelemetry, options);
      assert.match(await createClient(Conformance, channel).unary("who am I?"), /^127\.0\.0\.1:\d+$/);
    });

    void test("a server that requires certificates serves clients that have one, and counts the others", async () => {
      const { telemetry, reasons, until } = remembering();
      await using running = await open(transport, { ...server, clientCa: ca }, telemetry);
      assert.equal(await call(transport, running.port, { ca, ...caller }), "hi");
      // A client that connects again is counted too, as "closed" if it gives up in its handshake.
      const refused = () => reasons.filter((reason) => reason === "certificate").length;
      assert.match(await whyNot(transport, running.port, { ca }), /requires a client certificate, and there is none/);
      await until(() => refused() > 0);
      const before = refused();
      await whyNot(transport, running.port, { ca, ...stranger });
      await until(() => refused() > before);
    });

    void test("a server that does not agree on HTTP/2 is rejected, whether it offers something else or nothing", async () => {
      for (const ALPNProtocols of [["http/1.1"], undefined]) {
        await using stack = new AsyncDisposableStack();
        const port = await listening(
          stack,
          serveTls({ cert: server.certificate, key: server.key, ...(ALPNProtocols && { ALPNProtocols }) }, (socket) =>
            socket.on("error", () => {}),
          ),
        );
        assert.match(await whyNot(transport, port, { ca }), /ALPN h2/);
      }
    });

    void test("a client without HTTP/2 gets an error, and its request never reaches a handler", async () => {
      const { telemetry, reasons } = remembering();
      await using running = await open(transport, server, telemetry);
      const socket: TLSSocket = dialTls({ host: "127.0.0.1", port: running.port, ca });
      socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
      assert.match(Buffer.concat(await socket.toArray()).toString(), /offer "h2" by ALPN/);
      const other = dialTls({ host: "127.0.0.1", port: running.port, ca, ALPNProtocols: ["http/1.1"] });
      assert.match(String(await rejection(once(other, "secureConnect"))), /no application protocol/i);
      assert.deepEqual(reasons, ["alpn", "alpn"]);
    });

    void test("a mismatch of TLS and no TLS is unavailable", async () => {
      const { telemetry, reasons, until } = remembering();
      await using secured = await open(transport, server, telemetry);
      await whyNot(transport, secured.port, undefined);
      await until(() => reasons.includes("protocol"));
      assert.equal(await call(transport, secured.port, { ca }), "hi");
      await using plain = await open(transport, undefined);
      await whyNot(transport, plain.port, { ca });
      assert.equal(await call(transport, plain.port, undefined), "hi");
    });

    void test("closing the channel ends a handshake in progress", soon, async () => {
      await using stack = new AsyncDisposableStack();
      const met = new Moment();
      const left = new Moment();
      const raw = createServer((socket) => {
        socket.once("data", () => met.reach()); // Its first octets: it is connected, and waits.
        socket.on("error", () => {}).on("close", () => left.reach());
      });
      const port = await listening(stack, raw);
      const channel = await connect(`127.0.0.1:${port}`, noTelemetry, { transport, tls: { ca } });
      const refused = rejection(createClient(Conformance, channel).unary(""));
      await met.reached;
      await channel[Symbol.asyncDispose]();
      await refused;
      await left.reached;
    });

    void test("draining does not wait for handshakes in progress", soon, async () => {
      const running = await open(transport, server);
      const socket = dialTcp(running.port, "127.0.0.1");
      await once(socket, "connect");
      const closed = once(
        socket.on("error", () => {}),
        "close",
      );
      await shown(running.port); // By then the server has accepted the silent socket.
      await running.drain();
      await closed;
    });

    void test("a certificate is replaced under load, and no call is lost (negative 57)", async () => {
      let tls: ServerTls = server;
      await using running = await open(transport, () => tls);
      const options = { transport, tls: { ca }, timeoutMs: 10_000 };
      await using channel = await connect(`127.0.0.1:${running.port}`, noTelemetry, options);
      const client = createClient(Conformance, channel);
      const go = new Moment();
      async function* requests(): AsyncGenerator<string> {
        yield "before";
        await go.reached;
        yield "after";
      }
      const stream = client.bidiStream(requests())[Symbol.asyncIterator]();
      assert.equal((await stream.next()).value, "before");
      assert.equal(await shown(running.port), "server");

      let calls = 0;
      const stop = new AbortController();
      const caller = (async () => {
        for (; !stop.signal.aborted; calls++) assert.equal(await client.unary(`${calls}`), `${calls}`);
      })();
      tls = nextServer;
      assert.equal(await shown(running.port), "nextServer");
      assert.equal(await call(transport, running.port, { ca }), "hi");
      go.reach();
      assert.equal((await stream.next()).value, "after");
      assert.equal((await stream.next()).done, true);
      stop.abort();
      await caller;
      assert.ok(calls > 0);
    });

    void test("invalid certificates do not replace valid ones", async () => {
      const { telemetry, errors } = remembering();
      let tls: ServerTls = server;
      await using running = await open(transport, () => tls, telemetry);
      tls = { certificate: nextServer.certificate, key: server.key };
      assert.equal(await shown(running.port), "server");
      tls = { ...nextServer, clientCa: ca };
      assert.equal(await shown(running.port), "server");
      tls = nextServer;
      assert.equal(await shown(running.port), "nextServer");
      assert.equal(errors.length, 2);
      assert.match(errors[0] ?? "", /tls\.key: it does not belong to tls\.certificate/);
      assert.match(errors[1] ?? "", /tls\.clientCa: it cannot be added or removed/);
    });

    void test("a client's replaced certificate applies to new connections", async () => {
      await using running = await open(transport, { ...server, clientCa: ca });
      let tls = { ca, ...stranger };
      const target = `127.0.0.1:${running.port}`;
      await using channel = await connect(target, noTelemetry, { transport, tls: () => tls, timeoutMs: 5_000 });
      const client = createClient(Conformance, channel);
      await assert.rejects(client.unary(""), { code: "unavailable" });
      tls = { ca, ...caller };
      await channel.ready({ signal: AbortSignal.timeout(10_000) });
      assert.equal(await client.unary("hi"), "hi");
    });

    void test("invalid certificates are rejected at the start, by name and without the key", async () => {
      const refusals: readonly [ServerTls, RegExp][] = [
        [{ certificate: "", key: server.key }, /tls\.certificate: expected a certificate in PEM/],
        [{ certificate: server.certificate, key: server.certificate }, /tls\.key: expected a private key in PEM/],
        [{ certificate: server.certificate, key: nextServer.key }, /tls\.key: it does not belong to tls\.certificate/],
        [{ ...server, clientCa: server.key }, /tls\.clientCa: expected certificates in PEM/],
      ];
      for (const [tls, message] of refusals) {
        await assert.rejects(open(transport, tls), { code: "invalid_argument", message });
      }
      const half = { transport, tls: { certificate: caller.certificate } };
      await assert.rejects(connect("127.0.0.1:1", noTelemetry, half), {
        code: "invalid_argument",
        message: /expected both or none/,
      });
    });
  });
}
