import assert from "node:assert/strict";
import { once } from "node:events";
import { constants, createServer, type ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { noTelemetry } from "@plumbline/telemetry";
import { connect } from "../client/connect.ts";
import { createClient } from "../client/create-client.ts";
import { Conformance } from "../conformance/test-context.ts";
import { Dialling } from "./http2/dialling.ts";
import { transportNames } from "./index.ts";

const intervalMs = 50;

/**
 * Serves without answering, and sends GOAWAY on a ping. Records the time from each stream to the
 * ping after it.
 */
async function strict(code: number, words: string) {
  const silences: number[] = [];
  const sessions = new Set<ServerHttp2Session>();
  const server = createServer().on("session", (session) => {
    sessions.add(session);
    let begun = 0;
    session.on("error", () => {});
    session.on("stream", (stream) => {
      begun = performance.now();
      stream.on("error", () => {});
    });
    session.on("ping", () => {
      silences.push(performance.now() - begun);
      session.goaway(code, 0, Buffer.from(words));
      session.destroy();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    silences,
    async [Symbol.asyncDispose]() {
      for (const session of sessions) session.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test("two GOAWAYs for the same interval double it once", () => {
  const doubled: number[] = [];
  const keepalive = { intervalMs, timeoutMs: 1_000 };
  const dialling = new Dialling({ keepalive, onTooManyPings: (ms) => doubled.push(ms) });
  dialling.tooManyPings(intervalMs);
  dialling.tooManyPings(intervalMs);
  assert.equal(dialling.keepalive.intervalMs, 2 * intervalMs);
  assert.deepEqual(doubled, [2 * intervalMs]);
  for (let time = 0; time < 40; time++) dialling.tooManyPings(dialling.keepalive.intervalMs);
  assert.equal(dialling.keepalive.intervalMs, 2 ** 31 - 1, "what a timer can hold");
});

for (const transport of transportNames) {
  const opened = (port: number, warnings: unknown[] = []) => {
    const logger = { ...noTelemetry.logger, warn: (_: string, fields: unknown) => warnings.push(fields) };
    const options = { transport, keepaliveMs: intervalMs, timeoutMs: 10_000 };
    return connect(`127.0.0.1:${port}`, { ...noTelemetry, logger }, options);
  };

  test(`over ${transport}, each "too_many_pings" doubles the keepalive interval`, {
    timeout: 20_000,
  }, async () => {
    await using server = await strict(constants.NGHTTP2_ENHANCE_YOUR_CALM, "too_many_pings");
    const warnings: unknown[] = [];
    await using channel = await opened(server.port, warnings);
    const client = createClient(Conformance, channel);
    // From the client's side: on a busy machine the server notices a stream late, and the ping not.
    const silences: number[] = [];
    for (let call = 0; call < 4; call++) {
      const begun = performance.now();
      await assert.rejects(client.unary(""));
      silences.push(performance.now() - begun);
      await channel.ready({ signal: AbortSignal.timeout(10_000) });
    }
    assert.equal(server.silences.length, 4);
    for (const [call, silence] of silences.entries()) {
      const least = 2 ** call * intervalMs * 0.9; // A timer may fire a little early.
      assert.ok(silence >= least, `${silences.map(Math.round).join(", ")} ms`);
    }
    if (transport !== "http2") return;
    const target = `127.0.0.1:${server.port}`;
    const expected = [2, 4, 8, 16].map((times) => ({ target, keepaliveMs: times * intervalMs }));
    assert.deepEqual(warnings, expected);
  });

  test(`over ${transport}, a GOAWAY for another reason keeps the keepalive interval`, async () => {
    for (const [code, words] of [
      [constants.NGHTTP2_ENHANCE_YOUR_CALM, "too_many_streams"],
      [constants.NGHTTP2_NO_ERROR, "too_many_pings"],
    ] as const) {
      await using server = await strict(code, words);
      const warnings: unknown[] = [];
      await using channel = await opened(server.port, warnings);
      const client = createClient(Conformance, channel);
      for (let call = 0; call < 5; call++) {
        await assert.rejects(client.unary(""));
        await channel.ready({ signal: AbortSignal.timeout(10_000) });
      }
      // With doubled intervals the last three would each be at least four times the interval.
      assert.ok(
        Math.min(...server.silences.slice(2)) < 4 * intervalMs,
        `${server.silences.map(Math.round).join(", ")} ms`,
      );
      assert.deepEqual(warnings, []);
    }
  });
}
