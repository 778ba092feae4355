/** Tests of calls while somebody sets the system's clock, over both transports. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { deadlineOf, steadyNow } from "@plumbline/concurrency";
import { noTelemetry } from "@plumbline/telemetry";
import { Conformance, untilAborted } from "../src/conformance/test-context.ts";
import { connect, createClient, serve, service } from "../src/index.ts";

const hour = 3_600_000;
const { unary } = Conformance.methods;

for (const transport of ["http2", "grpc-js"] as const) {
  void describe(`over ${transport}`, () => {
    for (const step of [-hour, hour]) {
      void test(`a call keeps its deadline while the clock is set ${step < 0 ? "back" : "forward"}`, async (t) => {
        const real = Date.now.bind(Date);
        let leftMs = Number.NaN;
        const slow = service(
          { ...Conformance, methods: { unary } },
          {
            unary: async (text, call) => {
              if (text === "quick") return text;
              leftMs = (deadlineOf(call.signal) ?? Number.NaN) - steadyNow();
              t.mock.method(Date, "now", () => real() + step);
              return await untilAborted(call);
            },
          },
        );
        const parts = { services: [slow], telemetry: noTelemetry };
        await using server = await serve(parts, { host: "127.0.0.1", port: 0, graceMs: 100, transport });
        await using channel = await connect(`127.0.0.1:${server.port}`, noTelemetry, { transport });
        const client = createClient({ ...Conformance, methods: { unary } }, channel);
        const began = performance.now();
        await assert.rejects(client.unary("slow", { timeoutMs: 500 }), { code: "deadline_exceeded" });
        assert.ok(performance.now() - began >= 450, "not before its time");
        assert.ok(leftMs > 0 && leftMs <= 500 + 5, `${leftMs} ms`);
        assert.equal(await client.unary("quick", { timeoutMs: 20_000 }), "quick");
      });
    }
  });
}
