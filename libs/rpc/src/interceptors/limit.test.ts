import assert from "node:assert/strict";
import test from "node:test";
import { steadyNow } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import { noTelemetry } from "@plumbline/telemetry";
import type { ServerCall } from "../call.ts";
import { Admission } from "./admission.ts";
import { limit } from "./limit.ts";

const never = (): Promise<void> => new Promise(() => {});

function setUp(max: number, maxPerShare = max) {
  const clock = { now: 0 };
  const admission = (): Admission =>
    new Admission({
      max: () => max,
      maxPerShare: () => maxPerShare,
      shareRefusal: (why) => new ServiceError("resource_exhausted", why),
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
    share = "",
  ) => layer({ method, kind, deadline, share } as ServerCall, work);
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

test("one client takes its share of the places, and gives each back when its call has ended", async () => {
  const { call } = setUp(5, 2);
  const forever = Number.POSITIVE_INFINITY;
  for (const kind of ["unary", "server_stream"] as const) {
    const end = Promise.withResolvers<void>();
    const held = [1, 2].map(() => call("a.B/Get", kind, () => end.promise, forever, "greedy"));
    const third = () => call("a.B/Get", kind, async () => undefined, forever, "greedy");
    await assert.rejects(third(), { code: "resource_exhausted" });
    await call("a.B/Get", kind, async () => undefined, forever, "polite");
    // A refused call holds nothing.
    await assert.rejects(third(), { code: "resource_exhausted" });
    const others = [1, 2, 3].map(() => call("a.B/Get", kind, () => end.promise));
    await assert.rejects(
      call("a.B/Get", kind, async () => undefined, forever, "polite"),
      { code: "unavailable" },
    );
    end.resolve();
    await Promise.all([...held, ...others]);
    // Both at once: each place came back.
    await Promise.all([third(), third()]);
  }
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
