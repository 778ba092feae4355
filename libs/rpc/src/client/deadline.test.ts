import assert from "node:assert/strict";
import { once } from "node:events";
import { constants, createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { noTelemetry } from "@plumbline/telemetry";
import { transportNames } from "../transports/index.ts";
import { connect } from "./connect.ts";

/**
 * Serves, and resets each stream with CANCEL after `afterMs`, as grpc-go does when its timer fires.
 */
async function cancelling(afterMs: number) {
  const server = createServer();
  server.on("stream", (stream) => {
    stream.on("error", () => {});
    setTimeout(() => stream.close(constants.NGHTTP2_CANCEL), afterMs);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    target: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.dispose]: () => void server.close(),
  };
}

for (const transport of transportNames) {
  for (const { name, afterMs, timeoutMs, code } of [
    {
      name: "a cancel by the server just before the deadline counts as the deadline",
      afterMs: 285,
      timeoutMs: 300,
      code: "deadline_exceeded",
    },
    {
      name: "a cancel by the server long before the deadline is a cancel",
      afterMs: 0,
      timeoutMs: 30_000,
      code: "cancelled",
    },
  ]) {
    test(`over ${transport}, ${name}`, async () => {
      using server = await cancelling(afterMs);
      await using channel = await connect(server.target, noTelemetry, { transport });
      await channel.ready({ signal: AbortSignal.timeout(10_000) });
      await assert.rejects(channel.unary("/a.B/Get", new Uint8Array(), { timeoutMs }), { code });
      const stream = channel.serverStream("/a.B/Watch", new Uint8Array(), { timeoutMs });
      await assert.rejects(stream[Symbol.asyncIterator]().next(), { code });
    });
  }
}
