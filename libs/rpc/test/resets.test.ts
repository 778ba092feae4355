/** Tests of connections and resets that clients take from each other, over both transports. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { codeOf } from "@plumbline/errors";
import { Connection, dial, ErrorCode, HeaderField } from "@plumbline/http2";
import { noTelemetry } from "@plumbline/telemetry";
import { Conformance, type ConformanceHandlers, echo, untilAborted } from "../src/conformance/test-context.ts";
import { connect, createClient, type ServeOptions, serve, service } from "../src/index.ts";

const fields = [
  new HeaderField(":method", "POST"),
  new HeaderField(":scheme", "http"),
  new HeaderField(":path", `/${Conformance.fullName}/Unary`),
  new HeaderField(":authority", "localhost"),
  new HeaderField("content-type", "application/grpc"),
  new HeaderField("te", "trailers"),
];
const message = Buffer.from([0, 0, 0, 0, 1, 120]);

/** Resolves with a connection that has the server's settings. */
async function ready(socket: Socket): Promise<Connection> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const connection = new Connection(socket, "client", { onSettings: resolve });
  await promise;
  return connection;
}

const ignoring = { onHeaders() {}, onData() {}, onTrailers() {}, onReset() {}, onDrain() {} };

for (const transport of ["http2", "grpc-js"] as const) {
  void describe(`a ${transport} server`, () => {
    const open = (handlers: Partial<ConformanceHandlers>, options: Partial<ServeOptions> = {}) =>
      serve(
        { services: [service(Conformance, { ...echo, ...handlers })], telemetry: noTelemetry },
        { host: "127.0.0.1", port: 0, graceMs: 100, transport, ...options },
      );

    /** A call that lasts, and a function that begins and cancels a hundred others beside it. */
    async function openCanceller(options: Partial<ServeOptions>) {
      const stack = new AsyncDisposableStack();
      const { promise: end, resolve } = Promise.withResolvers<void>();
      const calls = { begun: 0 };
      const server = stack.use(
        await open(
          {
            unary: async (request, call) => {
              calls.begun++;
              if (request === "lasting") await end;
              else await untilAborted(call);
              return request;
            },
          },
          options,
        ),
      );
      const channel = stack.use(await connect(`127.0.0.1:${server.port}`, noTelemetry, { timeoutMs: 60_000 }));
      const client = createClient(Conformance, channel);
      const lasting = client.unary("lasting").then(String, codeOf);
      while (calls.begun === 0) await delay(1);
      const cancelHundred = async (): Promise<void> => {
        const wanted = calls.begun + 100;
        const controller = new AbortController();
        const { signal } = controller;
        const all = Promise.all(Array.from({ length: 100 }, () => client.unary("x", { signal }).catch(codeOf)));
        // They also end when the connection does.
        while (calls.begun < wanted && (await Promise.race([all, delay(1)])) === undefined);
        controller.abort();
        await all;
      };
      const { port } = server;
      return {
        port,
        calls,
        lasting,
        cancelHundred,
        finish: resolve,
        [Symbol.asyncDispose]: () => stack.disposeAsync(),
      };
    }

    void test("keeps the connection of a trusted peer that cancels thousands of calls", async () => {
      await using peer = await openCanceller({});
      for (let i = 0; i < 25; i++) await peer.cancelHundred();
      peer.finish();
      assert.equal(await peer.lasting, "lasting");
    });

    void test("ends the connection of another peer that does", { timeout: 60_000 }, async () => {
      await using peer = await openCanceller({ trustedPeers: "" });
      const ended: string[] = [];
      void peer.lasting.then((code) => ended.push(code));
      for (let i = 0; i < 500 && ended.length === 0; i++) await peer.cancelHundred();
      assert.equal(ended.length, 1);
      assert.notEqual(ended[0], "lasting");
    });

    void test("charges no peer for calls that are lost with their connection", async () => {
      await using peer = await openCanceller({ trustedPeers: "", maxConcurrent: 5_000, maxConcurrentPerClient: 5_000 });
      // More than the budget of resets.
      for (let round = 0; round < 4; round++) {
        const wanted = peer.calls.begun + 900;
        const socket = dial({ host: "127.0.0.1", port: peer.port });
        const connection = await ready(socket);
        for (let i = 0; i < 900; i++) connection.open(fields, false, ignoring).sendData(message, true);
        while (peer.calls.begun < wanted) await delay(5);
        socket.destroy();
      }
      await peer.cancelHundred();
      peer.finish();
      assert.equal(await peer.lasting, "lasting");
    });

    void test("starts no work for a request that is reset in the read that brings it", async () => {
      let begun = 0;
      await using server = await open({
        unary: async (request) => {
          begun++;
          return request;
        },
      });
      const connection = await ready(dial({ host: "127.0.0.1", port: server.port }));
      const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
      // Frames of one turn leave in one write.
      for (let i = 0; i < 50; i++) {
        const stream = connection.open(fields, false, ignoring);
        stream.sendData(message, true);
        stream.reset(ErrorCode.cancel);
      }
      connection.open(fields, false, { ...ignoring, onTrailers: () => answer() }).sendData(message, true);
      await answered;
      assert.equal(begun, 1);
      connection.destroy();
    });

    void test("shares its connections among addresses", async () => {
      await using server = await open({}, { trustedPeers: "", maxConnections: 6, connectionsPerPeer: 4 });
      const sockets: Socket[] = [];
      const held = () => sockets.filter(({ destroyed }) => !destroyed).length;
      for (let i = 0; i < 20; i++) {
        const from = { port: server.port, host: "127.0.0.1", localAddress: "127.0.0.66" };
        const socket = connectTcp(from)
          .on("error", () => {})
          .resume();
        sockets.push(socket);
        await once(socket, "connect");
      }
      await using channel = await connect(`127.0.0.1:${server.port}`, noTelemetry, { timeoutMs: 30_000 });
      assert.equal(await createClient(Conformance, channel).unary("x"), "x");
      while (held() > 4) await delay(5);
      assert.equal(held(), 4);
      for (const socket of sockets) socket.destroy();
    });
  });
}
