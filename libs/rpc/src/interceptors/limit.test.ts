import assert from "node:assert/strict";
import test from "node:test";
import { steadyNow } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import { noTelemetry } from "@plumbline/telemetry";
import type { ServerCall } from "../call.ts";
import { Admission } from "./admission.ts";
import { limit } from "./limit.ts";

const never = (): Promise<void> => new Promise(() => {});

function setUp(max: number) {
  const clock = { now: 0 };
  const admission = (): Admission =>
    new Admission({
      max: () => max,
      adaptive: () => true,
      refusal: (why) => new ServiceError("unavailable", why),
      metrics: noTelemetry.metrics,
      now: () => clock.now,
    });
  const layer = limit(admission(), admission());
  const call = (
    method: string,
    kind: ServerCall["kind"],
    work: () => Promise<void>,
    deadline = Number.POSITIVE_INFINITY,
  ) => layer({ method, kind, deadline } as ServerCall, work);
  return { clock, call };
}

test("a full server answers health checks", async () => {
  const { call } = setUp(1);
  void call("a.B/Put", "unary", never);
  await assert.rejects(
    call("a.B/Get", "unary", async () => undefined),
    { code: "unavailable" },
  );
  await call("grpc.health.v1.Health/Check", "unary", async () => undefined);
});

test("streams take no places of unary calls, nor unary calls those of streams", async () => {
  const { call } = setUp(1);
  void call("a.B/Watch", "server_stream", never);
  await assert.rejects(call("a.B/Chat", "bidi_stream", never), { code: "unavailable" });
  void call("a.B/Get", "unary", never);
  await assert.rejects(call("a.B/Get", "unary", never), { code: "unavailable" });
});

test("a thousand long streams are no overload: neither they nor other calls are shed", async () => {
  const { clock, call } = setUp(2_000);
  const round = async (ms: number): Promise<void> => {
    const end = Promise.withResolvers<void>();
    const streams = Array.from({ length: 1_000 }, () => call("a.B/Watch", "server_stream", () => end.promise));
    await call("a.B/Get", "unary", async () => undefined);
    clock.now += ms;
    end.resolve();
    await Promise.all(streams);
  };
  for (let n = 0; n < 10; n++) await round(100);
  for (let n = 0; n < 100; n++) await round(60_000);
});

test("the deadline of the request counts for shedding", async () => {
  const { clock, call } = setUp(100);
  for (let n = 0; n < 10; n++) await call("a.B/Get", "unary", async () => void (clock.now += 2_000));
  for (let n = 0; n < 20; n++) void call("a.B/Get", "unary", never);
  const refused = call("a.B/Get", "unary", () => assert.fail("it ran"), steadyNow() + 1_000);
  await assert.rejects(refused, { code: "unavailable" });
  await call("a.B/Get", "unary", async () => undefined, steadyNow() + 60_000);
});
