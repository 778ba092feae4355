/** The system in containers, from nothing: the same journeys on Kafka, Postgres and Redis. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import test, { after, before, describe } from "node:test";
import { promisify } from "node:util";
import { runDemo, table } from "@plumbline/load";
import { containers, docker, endReport, sizes } from "@plumbline/tools-stack";
import { type ComposeStack, composeStack, whyNoCompose } from "../src/compose-stack.ts";
import { root } from "../src/stack.ts";
import { httpJourneys } from "./journeys.ts";

const why = whyNoCompose();
const services = ["gateway", "greeter", "orders", "worker"];

if (why !== false) test("the system runs in containers", { skip: why }, () => undefined);
else describe("in containers", inContainers);

function inContainers(): void {
  let stack: ComposeStack;
  let base = "";
  before(async () => {
    stack = await composeStack();
    [base = ""] = await stack.gateways();
  });
  after(() => stack?.[Symbol.asyncDispose]());

  httpJourneys(() => base);

  test("the images are as small as is claimed", async () => {
    const printed: string[] = [];
    assert.equal(await sizes((text) => printed.push(text)), 0, printed.join("\n"));
  });

  test("200 of 200 orders are accounted for", async () => {
    const report = await runDemo({ base, orders: 200 });
    assert.ok(report.ok, table(report));
  });

  test("steps of migration that run at once, beside the services, all end with 0", async () => {
    const run = (service: string) => docker(["compose", "run", "--rm", "--no-deps", service]);
    await Promise.all(["orders-migrate", "orders-migrate", "worker-migrate", "worker-migrate"].map(run));
  });

  test("a service's role reaches its own database and no other", async () => {
    const ask = (role: string, database: string) =>
      docker([
        "compose",
        "exec",
        "-T",
        "postgres",
        "psql",
        "-h",
        "127.0.0.1",
        "-U",
        role,
        "-d",
        database,
        "-c",
        "SELECT 1",
      ]);
    await ask("orders", "orders");
    await ask("worker", "worker");
    for (const [role, database] of [
      ["orders", "worker"],
      ["worker", "orders"],
      ["orders", "postgres"],
      ["worker", "template1"],
    ] as const) {
      await assert.rejects(ask(role, database), /permission denied for database/, `${role} in ${database}`);
    }
  });

  test("a service runs as nobody of note, can write nowhere, and has no shell", async () => {
    const write = `try { fs.writeFileSync("/app/x", ""); } catch (error) { console.log(process.getuid(), error.code); }`;
    for (const service of services) {
      const node = ["compose", "exec", "-T", service, "/nodejs/bin/node", "-e"];
      assert.equal((await docker([...node, write])).trim(), "65532 EROFS", service);
    }
    await assert.rejects(docker(["compose", "exec", "-T", "orders", "sh", "-c", "true"]), /ended with 12[67]/);
  });

  test("a service finds its code compiled", async () => {
    for (const service of ["orders-migrate", "worker-migrate"]) {
      const trace = ["-e", "NODE_DEBUG_NATIVE=COMPILE_CACHE"];
      const args = ["compose", "run", "--rm", "--no-deps", ...trace, service];
      const { stdout, stderr } = await promisify(execFile)("docker", args, { cwd: root });
      assert.match(stdout + stderr, /V8 code cache for ESM file:\/\/\/app\/main\.js was accepted/, service);
    }
  });

  test("two gateways, two orders and three workers lose and double nothing", async () => {
    const scale = ["gateway=2", "orders=2", "worker=3"].flatMap((replicas) => ["--scale", replicas]);
    await docker(["compose", "up", "--detach", "--wait", ...scale]);
    const bases = await stack.gateways();
    assert.equal(bases.length, 2);
    const reports = await Promise.all(bases.map((one) => runDemo({ base: one, orders: 100 })));
    for (const report of reports) assert.ok(report.ok, table(report));
  });

  test("asked to stop, every container ends in good order within its grace", async () => {
    await docker(["compose", "stop"]);
    const report = endReport(await containers());
    assert.ok(report.ok, report.text);
  });
}
