import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Code, ServiceError } from "@plumbline/errors";
import { noTelemetry } from "@plumbline/telemetry";
import { Metadata } from "../metadata.ts";
import type { CallOptions } from "./channel.ts";
import { RetryThrottle, type RetryThrottling } from "./retry-throttle.ts";
import { type Retries, retrying } from "./retrying.ts";

/** Returns a throttle that keeps its counts. */
function counting(options: RetryThrottling = {}) {
  const counts: string[] = [];
  const counter = { inc: ({ outcome }: { outcome: string }) => counts.push(outcome) };
  const metrics = { ...noTelemetry.metrics, counter: () => counter } as unknown as typeof noTelemetry.metrics;
  return { throttle: new RetryThrottle(options, metrics), counts };
}

interface Answer {
  readonly code?: Code;
  readonly pushback?: string;
  /** True if headers come before the status. */
  readonly headers?: boolean;
}

/** Makes a call to a server with these answers, in order. Resolves with the number of attempts. */
async function make(answers: readonly Answer[], how: Partial<Retries> = {}, options: CallOptions = {}) {
  let calls = 0;
  const retries = { attempts: 5, baseMs: 0, maxMs: 0, timeoutMs: undefined, method: "a/B", ...counting(), ...how };
  const call = async ({ onHeaders, onTrailers }: CallOptions): Promise<string> => {
    const { code = "unavailable", pushback, headers = false } = answers[calls++] ?? {};
    if (headers) onHeaders?.(new Metadata());
    onTrailers?.(Metadata.received(pushback === undefined ? [] : [["grpc-retry-pushback-ms", pushback]]));
    throw new ServiceError(code, "not now");
  };
  await assert.rejects(retrying(call, options, retries));
  return calls;
}

test("a call has at most five attempts, whatever the option says", async () => {
  assert.equal(await make([], { attempts: 100, throttle: counting({ maxTokens: 100 }).throttle }), 5);
});

describe("grpc-retry-pushback-ms", () => {
  for (const pushback of ["-1", "", "soon", "1.5", "007", "+1", " 1", "2147483648", "99999999999"]) {
    test(`${JSON.stringify(pushback)} refuses retries, takes a token and is counted`, async () => {
      const { throttle, counts } = counting({ maxTokens: 2, tokenRatio: 0.5 });
      assert.equal(await make([{ pushback, code: "internal" }], { throttle }), 1);
      assert.equal(throttle.allows, false);
      assert.deepEqual(counts, []);
      const other = counting();
      assert.equal(await make([{ pushback }], { throttle: other.throttle }), 1);
      assert.deepEqual(other.counts, ["refused"]);
    });
  }

  for (const pushback of ["0", "1", "20"]) {
    test(`${pushback} replaces the backoff`, async () => {
      // With a backoff of days, any backoff would outlast the call's minute.
      const how = { baseMs: 1e9, maxMs: 1e9 };
      assert.equal(await make([{ pushback }, { pushback }, {}], how, { timeoutMs: 60_000 }), 3);
    });
  }

  test("makes the backoff start over", async (t) => {
    t.mock.method(Math, "random", () => 0.99);
    const pushback = "0";
    const how = { baseMs: 200, maxMs: 1e9 };
    // The waits are 200 ms, then 400 ms, which would be too late. Without the reset the first would
    // be 800 ms.
    assert.equal(await make([{ pushback }, { pushback }, {}, {}], how, { timeoutMs: 500 }), 4);
  });
});

test("a call is not retried once the server has sent headers", async () => {
  assert.equal(await make([{}, { headers: true }]), 2);
});

test("an error that waiting cannot repair is not retried, and takes no token", async () => {
  const { throttle } = counting({ maxTokens: 2 });
  assert.equal(await make([{ code: "invalid_argument" }], { throttle }), 1);
  assert.equal(throttle.allows, true);
});

describe("the tokens", () => {
  test("half of them or fewer allow no retry; a success returns the ratio, a failure takes one", () => {
    const { throttle } = counting();
    for (let failed = 0; failed < 4; failed++) throttle.failed();
    assert.equal(throttle.allows, true, "six of ten");
    throttle.failed();
    assert.equal(throttle.allows, false, "five of ten");
    throttle.succeeded();
    assert.equal(throttle.allows, true, "5.1 of ten");
    throttle.failed();
    throttle.succeeded();
    assert.equal(throttle.allows, false, "4.2 of ten");
  });

  test("stay between zero and the maximum", () => {
    const { throttle } = counting({ maxTokens: 2, tokenRatio: 0.6 });
    for (let call = 0; call < 100; call++) throttle.failed();
    throttle.succeeded();
    assert.equal(throttle.allows, false);
    throttle.succeeded();
    assert.equal(throttle.allows, true);
    for (let call = 0; call < 100; call++) throttle.succeeded();
    throttle.failed();
    assert.equal(throttle.allows, false);
  });

  test("with invalid options are rejected", () => {
    assert.throws(() => counting({ maxTokens: 0 }), RangeError);
    assert.throws(() => counting({ tokenRatio: -1 }), RangeError);
  });
});

test("retries made and retries throttled are counted", async () => {
  const { throttle, counts } = counting({ maxTokens: 4 });
  let calls = 0;
  const call = async (): Promise<string> => {
    calls++;
    throttle.failed();
    throw new ServiceError("unavailable", "not now");
  };
  const how = { attempts: 5, baseMs: 0, maxMs: 0, timeoutMs: undefined, method: "a/B", throttle };
  await assert.rejects(retrying(call, {}, how), { code: "unavailable" });
  assert.equal(calls, 2);
  assert.deepEqual(counts, ["made", "throttled"]);
});
