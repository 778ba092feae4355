/** The system in containers with the profile `consul`: settings, registration and discovery. */
import assert from "node:assert/strict";
import test, { after, before, describe } from "node:test";
import { runDemo, table } from "@plumbline/load";
import { eventually } from "@plumbline/tools-engines";
import { type ComposeStack, containers, endReport, openCompose, whyNoCompose } from "@plumbline/tools-stack";
import { call } from "../src/http.ts";
import { httpJourneys } from "./journeys.ts";

const why = whyNoCompose("consul");
if (why !== false) test("the system runs in containers on Consul", { skip: why }, () => undefined);
else describe("in containers on Consul", onConsul);

/** Returns a document that refuses clients which send more than one request. */
const strict = "rateLimit:\n  perClient: { perSecond: 0.001, burst: 1 }\n";
const generous = "rateLimit:\n  perClient: { perSecond: 1000, burst: 1000 }\n";

function onConsul(): void {
  let stack: ComposeStack;
  let base = "";
  let consul = "";
  before(async () => {
    const name = `plumbline-consul-${process.pid}`;
    stack = await openCompose({ project: name, tag: `consul-${process.pid}`, profile: "consul" });
    [base = ""] = await stack.gateways();
    consul = `http://127.0.0.1:${stack.variables["HOST_PORT_CONSUL"]}`;
  });
  after(() => stack?.[Symbol.asyncDispose]());

  async function instances(service: string): Promise<number> {
    const answer = await fetch(`${consul}/v1/health/service/${service}?passing=1`);
    return ((await answer.json()) as unknown[]).length;
  }

  async function put(text: string): Promise<void> {
    const { status } = await fetch(`${consul}/v1/kv/plumbline/config/gateway.yaml`, { method: "PUT", body: text });
    assert.equal(status, 200);
  }

  httpJourneys(() => base);

  test("each service is registered, and the agent's check of it passes", async () => {
    for (const service of ["greeter", "orders", "worker"]) {
      await eventually(
        () => instances(service),
        (count) => count === 1,
        20_000,
      );
    }
  });

  test("a rate limit that is put into Consul holds without a restart", async () => {
    const statusOf = async (): Promise<number> => (await call(`${base}/v1/greetings/World`)).status;
    await put(strict);
    await eventually(statusOf, (status) => status === 429, 20_000);
    await put(generous);
    await eventually(statusOf, (status) => status === 200, 20_000);
  });

  test("replicas that are added are found and get orders, none lost and none doubled", async () => {
    await stack.up({ orders: 2, worker: 2 });
    for (const service of ["orders", "worker"]) {
      await eventually(
        () => instances(service),
        (count) => count === 2,
        20_000,
      );
    }
    const report = await runDemo({ base, orders: 100 });
    assert.ok(report.ok, table(report));
  });

  test("a replica that is stopped has left the registry when it ends", async () => {
    const [first] = await stack.replicas("orders");
    assert.ok(first);
    // It starts again, so the second one is back at the end.
    const ended = await stack.restart(first);
    assert.ok(ended.clean, JSON.stringify(ended));
    assert.match(await stack.logs("orders", 200), /"message":"deregistered"/);
    await eventually(
      () => instances("orders"),
      (count) => count === 2,
      20_000,
    );
  });

  test("on a stop, every container exits cleanly within its grace period", async () => {
    await stack.stop();
    const report = endReport(await containers(stack.variables));
    assert.ok(report.ok, report.text);
  });
}
