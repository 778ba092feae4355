/** The system in containers, from nothing: the same journeys on Kafka, Postgres and Redis. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before, describe } from "node:test";
import { promisify } from "node:util";
import { fulfilmentEvents, orderCancelled, orderFulfilled, ordersEvents } from "@plumbline/contracts";
import { runDemo, table } from "@plumbline/load";
import { connectBroker, deadTopic, eventMessage, type Message } from "@plumbline/messaging";
import { openInspector } from "@plumbline/messaging/inspect";
import { noTelemetry } from "@plumbline/telemetry";
import { eventually } from "@plumbline/tools-engines";
import {
  authorizationFor,
  type ComposeStack,
  containers,
  databaseOwners,
  docker,
  endReport,
  identityOf,
  openCompose,
  ownServices,
  sizes,
  whyNoCompose,
} from "@plumbline/tools-stack";
import { type Answer, call, post } from "../src/http.ts";
import { root } from "../src/stack.ts";
import { accessMatrix } from "./access-matrix.ts";
import { httpJourneys } from "./journeys.ts";

const why = whyNoCompose();
const services = ownServices.map(({ name }) => name);
const migrations = databaseOwners.map((owner) => `${owner}-migrate`);

if (why !== false) test("the system runs in containers", { skip: why }, () => undefined);
else describe("in containers", inContainers);

function inContainers(): void {
  let stack: ComposeStack;
  let base = "";
  const secrets = mkdtempSync(join(tmpdir(), "plumbline-secrets-"));
  const passwords = readdirSync(join(root, "deploy/compose/secrets")).filter((name) => name.endsWith("-password"));
  after(() => rmSync(secrets, { recursive: true }));
  const write = (name: string) => {
    // A URL could not have these characters as they are, nor Kafka's file of users.
    const password = `${randomUUID()}/@%41:${name.includes("kafka") ? '\\"' : ""}`;
    writeFileSync(join(secrets, name), `${password}\n`, { mode: 0o644 });
    return password;
  };
  before(async () => {
    for (const name of passwords) write(name);
    stack = await openCompose({ project: `plumbline-e2e-${process.pid}`, tag: `e2e-${process.pid}`, secrets });
    [base = ""] = await stack.gateways();
  });
  after(() => stack?.[Symbol.asyncDispose]());

  httpJourneys(() => base);
  accessMatrix(() => base);

  test("a customer has its own orders, and a client without a token has none", async () => {
    const orders = `${base}/v1/orders`;
    const as = async (client: string) => await authorizationFor(base, client);
    const items = [{ sku: "tea", quantity: 2 }];
    assert.equal((await fetch(`${base}/v1/greetings/World`)).status, 200);
    for (const init of [{}, { method: "POST", body: JSON.stringify({ items }) }]) {
      const refused = await fetch(orders, { ...init, headers: { "content-type": "application/json" } });
      assert.deepEqual([refused.status, ((await refused.json()) as Answer["json"])["reason"]], [401, "TOKEN_MISSING"]);
    }
    const placed = await post(orders, { items }, await as("ada"));
    assert.deepEqual([placed.status, placed.json["customerId"]], [200, "ada"], placed.text);
    const one = `${orders}/${placed.json["id"]}`;
    assert.equal((await call(one, { headers: await as("ada") })).status, 200);
    assert.equal((await call(one, { headers: await as("bob") })).status, 404);
    assert.equal((await call(`${orders}?customerId=ada`, { headers: await as("bob") })).status, 403);

    // The line of the documents.
    const curl = async (...args: readonly string[]) => (await promisify(execFile)("curl", ["-sS", ...args])).stdout;
    const line = await curl("--cacert", stack.authority, `${stack.issuer}/ada`);
    assert.ok((await curl("-H", line.trim(), orders)).includes(String(placed.json["id"])));
    assert.match(await stack.logs("gateway", 500), /auth\.developmentIssuer is true/);
  });

  test("no container writes a token or shows a key", async () => {
    const tokens = await Promise.all(["ada", "bob", "operator"].map((name) => authorizationFor(base, name)));
    const all = await stack.compose("logs", "--no-color");
    assert.match(all, /TOKEN_MISSING/);
    const shown = await docker(["inspect", ...(await containers(stack.variables)).map(({ ID }) => ID)]);
    for (const { authorization = "" } of tokens) {
      for (const text of [all, shown]) assert.ok(!text.includes(authorization.slice(-40)), "a token was written");
    }
    for (const text of [all, shown]) assert.doesNotMatch(text, /PRIVATE KEY/);
  });

  const nodeIn = async (service: string, script: string, ...args: readonly string[]) =>
    (await stack.compose("exec", "-T", service, "/nodejs/bin/node", "-e", script, ...args)).trim();

  test("each container has a certificate of its own, and no other container has its key", async () => {
    const files = `
      const { uid, mode } = fs.statSync("/run/tls/tls.key");
      const { subjectAltName } = new crypto.X509Certificate(fs.readFileSync("/run/tls/tls.crt"));
      console.log(fs.readdirSync("/run/tls").join(), uid, (mode & 0o777).toString(8), subjectAltName);`;
    for (const name of services) {
      const names = `URI:${identityOf(name)}, DNS:${name}`;
      assert.equal(await nodeIn(name, files), `ca.crt,tls.crt,tls.key 65532 400 ${names}`);
    }
    const all = await containers(stack.variables);
    const inspected = JSON.parse(await docker(["inspect", ...all.map(({ ID }) => ID)])) as readonly {
      readonly Id: string;
      readonly Mounts: readonly { readonly Name?: string }[];
    }[];
    for (const name of [...services, "issuer"]) {
      const mounting = all.filter(({ ID }) =>
        inspected.some(
          ({ Id, Mounts }) => Id.startsWith(ID) && Mounts.some(({ Name }) => Name?.endsWith(`_${name}-tls`)),
        ),
      );
      assert.deepEqual(mounting.map(({ Service }) => Service).toSorted(), ["certificates", name].toSorted());
    }
  });

  test("a service answers the certificate of the gateway alone, and health checks", async () => {
    const call = `
      const [url, path, shows] = process.argv.slice(1);
      const [ca, cert, key] = ["ca.crt", "tls.crt", "tls.key"].map((name) => fs.readFileSync("/run/tls/" + name));
      const end = (text) => (console.log(text), process.exit());
      const session = http2.connect(url, { ca, ...(shows === "own" && { cert, key }) });
      session.on("error", () => end("no answer"));
      const headers = { "content-type": "application/grpc", te: "trailers" };
      const request = session.request({ ":method": "POST", ":path": path, ...headers });
      const read = (fields) => fields["grpc-status"] && end("status " + fields["grpc-status"]);
      request.on("response", read).on("trailers", read).on("error", () => end("no answer"));
      request.on("close", () => end("no answer"));
      request.end(Buffer.alloc(5));
      request.resume();
      setTimeout(() => end("too late"), 60_000);`;
    const ask = async (from: string, url: string, path: string, shows = "own") =>
      await nodeIn(from, call, url, path, shows);
    const [orders, worker] = ["https://orders:50052", "https://worker:50053"];
    const [cancel, label] = ["/orders.v1.OrdersService/CancelOrder", "/fulfilment.v1.FulfilmentService/GetLabel"];
    // In gRPC 16 is UNAUTHENTICATED, which the gateway is without a principal, and 7 is
    // PERMISSION_DENIED.
    assert.equal(await ask("gateway", orders, cancel), "status 16");
    assert.equal(await ask("gateway", worker, label), "status 16");
    assert.equal(await ask("worker", orders, cancel), "status 7");
    assert.equal(await ask("greeter", worker, label), "status 7");
    assert.equal(await ask("greeter", orders, "/grpc.health.v1.Health/Check"), "status 0");
    assert.equal(await ask("gateway", orders, cancel, "nothing"), "no answer");
    assert.equal(await ask("gateway", "http://orders:50052", cancel), "no answer");
  });

  test("the images are within their size limits", async () => {
    const printed: string[] = [];
    assert.equal(await sizes((text) => printed.push(text), stack.variables), 0, printed.join("\n"));
  });

  test("200 of 200 orders are accounted for", async () => {
    const report = await runDemo({ base, orders: 200 });
    assert.ok(report.ok, table(report));
  });

  test("concurrent migration steps, beside running services, all exit with 0", async () => {
    const run = (service: string) => stack.compose("run", "--rm", "--no-deps", service);
    await Promise.all([...migrations, ...migrations].map(run));
  });

  test("a service's role can connect to its own database only", async () => {
    const ask = (role: string, database: string) =>
      stack.compose("exec", "-T", "postgres", "psql", "-h", "127.0.0.1", "-U", role, "-d", database, "-c", "SELECT 1");
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

  test("a service's role reads and writes rows, and changes no table", async () => {
    const ask = (role: string, statement: string) =>
      stack.compose("exec", "-T", "postgres", "psql", "-h", "127.0.0.1", "-U", role, "-d", role, "-c", statement);
    await ask("orders", "SELECT count(*) FROM orders");
    for (const statement of ["DROP TABLE orders", "ALTER TABLE orders ADD COLUMN x int"]) {
      await assert.rejects(ask("orders", statement), /must be owner of table orders/);
    }
    await assert.rejects(ask("orders", "CREATE TABLE x (a int)"), /permission denied for schema public/);
  });

  test("a container reaches the engines of its own calls only", async () => {
    const connect = `
      const [host, port] = process.argv.slice(1);
      const socket = require("node:net").connect({ host, port: Number(port), timeout: 3_000 });
      socket.on("connect", () => (console.log("connected"), socket.destroy()));
      socket.on("timeout", () => (console.log("nothing"), socket.destroy()));
      socket.on("error", () => console.log("nothing"));`;
    const reach = async (from: string, host: string, port: string) => await nodeIn(from, connect, host, port);
    assert.equal(await reach("orders", "postgres", "5432"), "connected");
    assert.equal(await reach("worker", "kafka", "9092"), "connected");
    assert.equal(await reach("gateway", "issuer", "8091"), "connected");
    // In the clear, services believe all that reach them by this network about who calls.
    for (const from of ["supplier", "issuer"]) assert.equal(await reach(from, "orders", "50052"), "nothing", from);
    for (const from of ["gateway", "greeter", "supplier"]) {
      assert.equal(await reach(from, "postgres", "5432"), "nothing", from);
      assert.equal(await reach(from, "kafka", "9092"), "nothing", from);
    }
    const id = (await stack.compose("ps", "--quiet", "postgres")).trim();
    const networks = await docker([
      "inspect",
      "--format",
      "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}",
      id,
    ]);
    assert.equal(await reach("gateway", networks.trim(), "5432"), "nothing", "by address");
  });

  const passwordOf = (user: string) =>
    readFileSync(join(secrets, user === "kafka" ? "kafka-password" : `${user}-kafka-password`), "utf8").trim();
  const kafkaAs = (user: string, password = passwordOf(user)) => ({
    brokers: [`127.0.0.1:${stack.variables["HOST_PORT_KAFKA"]}`],
    sasl: { mechanism: "plain", username: user, password } as const,
  });
  const publish = async (user: string, topic: string, message: Message) => {
    const kafka = { ...kafkaAs(user), clientId: "e2e", giveUpMs: 60_000 };
    await using broker = await connectBroker({ adapter: "kafka", kafka }, noTelemetry);
    await broker.publish(topic, [message]);
  };
  const fulfilled = (orderId: string, source: string, type = orderFulfilled.type) =>
    eventMessage(
      { ...orderFulfilled, type },
      { orderId, total: { currencyCode: "EUR", minorUnits: 1n }, occurTime: new Date() },
      { source, key: orderId, time: new Date() },
    );

  test("Kafka knows who publishes and who reads, and refuses the events and the reads of others (negative 10)", async () => {
    const refused = { code: "permission_denied" };
    const answer = fulfilled(randomUUID(), fulfilmentEvents.source);
    const order = eventMessage(
      orderCancelled,
      { orderId: randomUUID(), version: 2n, occurTime: new Date() },
      { source: ordersEvents.source, key: "forged", time: new Date() },
    );
    await assert.rejects(publish("worker", ordersEvents.topic, order), refused);
    await assert.rejects(publish("orders", fulfilmentEvents.topic, answer), refused);

    // Both topics have an event now: a read of an empty one fetches nothing, and is not refused.
    const placed = await post(`${base}/v1/orders`, { customerId: "ada", items: [{ sku: "tea", quantity: 2 }] });
    await eventually(
      async () => (await call(`${base}/v1/orders/${placed.json["id"]}`)).json["status"],
      (status) => status === "ORDER_STATUS_FULFILLED",
      60_000,
    );
    for (const [user, topic] of [
      ["orders", ordersEvents.topic],
      ["worker", fulfilmentEvents.topic],
    ] as const) {
      await using inspector = await openInspector({ adapter: "kafka", ...kafkaAs(user) }, noTelemetry);
      await assert.rejects(
        inspector.read([topic], () => assert.fail(`${user} reads ${topic}`)),
        refused,
        topic,
      );
    }

    for (const kafka of [kafkaAs("worker", "wrong"), { brokers: kafkaAs("worker").brokers }]) {
      const connecting = connectBroker({ adapter: "kafka", kafka: { ...kafka, clientId: "e2e" } }, noTelemetry);
      await assert.rejects(connecting, { code: "unavailable" });
    }
  });

  test("an event that gets in all the same has no effect: one of another source or an unknown type is a dead letter", async () => {
    await stack.compose("stop", "worker");
    const placed = await post(`${base}/v1/orders`, { customerId: "ada", items: [{ sku: "tea", quantity: 2 }] });
    const id = String(placed.json["id"]);
    const stranger = fulfilled(id, ordersEvents.source);
    const unknown = fulfilled(id, fulfilmentEvents.source, "fulfilment.v1.OrderGivenAway");
    await publish("kafka", fulfilmentEvents.topic, stranger);
    await publish("kafka", fulfilmentEvents.topic, unknown);
    await using inspector = await openInspector({ adapter: "kafka", ...kafkaAs("kafka") }, noTelemetry);
    const deadLetters = async () => {
      const found: Message[] = [];
      await inspector.read([deadTopic(fulfilmentEvents.topic, "orders")], ({ message }) => found.push(message));
      return found.filter(({ key }) => key === id);
    };
    const letters = await eventually(deadLetters, (found) => found.length === 2, 60_000);
    assert.deepEqual(letters.map((letter) => letter.id).toSorted(), [stranger.id, unknown.id].toSorted());
    const order = async () => (await call(`${base}/v1/orders/${id}`)).json;
    assert.equal((await order())["status"], "ORDER_STATUS_PENDING");

    await stack.compose("start", "worker");
    const settled = await eventually(order, ({ status }) => status !== "ORDER_STATUS_PENDING", 60_000);
    assert.equal(settled["status"], "ORDER_STATUS_FULFILLED");
    assert.notEqual((settled["total"] as { minorUnits: string }).minorUnits, "1");
  });

  test("Redis wants its password", async () => {
    const ping = (...options: readonly string[]) =>
      stack.compose("exec", "-T", ...options, "redis", "redis-cli", "ping");
    assert.match(await ping(), /NOAUTH/);
    const password = readFileSync(join(secrets, "redis-password"), "utf8").trim();
    assert.equal((await ping("-e", `REDISCLI_AUTH=${password}`)).trim(), "PONG");
  });

  test("no container shows a password, to docker inspect or in its list of processes", async () => {
    const all = await containers(stack.variables);
    const shown = await docker(["inspect", ...all.map(({ ID }) => ID)]);
    const processes = await stack.compose("top");
    assert.match(shown, /"REDIS_|redis-server/);
    for (const name of passwords) {
      const password = readFileSync(join(secrets, name), "utf8").trim();
      assert.ok(!shown.includes(password), name);
      assert.ok(!processes.includes(password), name);
    }
  });

  test("a service follows a password that changes in its file", { timeout: 120_000 }, async () => {
    const admin = (statement: string) =>
      stack.compose("exec", "-T", "postgres", "psql", "-h", "127.0.0.1", "-U", "postgres", "-c", statement);
    const password = write("orders-password");
    await admin(`ALTER ROLE orders PASSWORD '${password}'`);
    await eventually(
      () => stack.logs("orders", 50),
      (lines) => lines.includes("database credentials changed"),
      60_000,
    );
    await admin("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'orders'");
    const list = async () => (await call(`${base}/v1/orders?customerId=ada`)).status;
    await eventually(list, (status) => status === 200, 30_000);
  });

  test("services follow certificates that are made again", { timeout: 240_000 }, async () => {
    const loaded = async (service: string) =>
      (await stack.compose("logs", "--no-color", service)).split('"certificate loaded"').length;
    const before = new Map(await Promise.all(services.map(async (name) => [name, await loaded(name)] as const)));
    const run = ["run", "--rm", "--no-deps"];
    await stack.compose(...run, "--entrypoint", "rm", "certificates", "/services/orders/tls.crt");
    await stack.compose(...run, "certificates");
    for (const name of services) {
      await eventually(
        () => loaded(name),
        (count) => count > (before.get(name) ?? 0),
        60_000,
      );
    }
    // So that gateway connects again.
    await stack.compose("restart", "orders", "worker", "greeter");
    const report = await runDemo({ base, orders: 20 });
    assert.ok(report.ok, table(report));
  });

  test("a service runs as an unprivileged user, cannot write files, and has no shell", async () => {
    const write = `try { fs.writeFileSync("/app/x", ""); } catch (error) { console.log(process.getuid(), error.code); }`;
    for (const service of services) assert.equal(await nodeIn(service, write), "65532 EROFS", service);
    await assert.rejects(stack.compose("exec", "-T", "orders", "sh", "-c", "true"), /ended with 12[67]/);
  });

  test("a service loads its code from the compile cache", async () => {
    for (const service of migrations) {
      const trace = ["-e", "NODE_DEBUG_NATIVE=COMPILE_CACHE"];
      const args = ["compose", "run", "--rm", "--no-deps", ...trace, service];
      const { stdout, stderr } = await promisify(execFile)("docker", args, {
        cwd: root,
        env: { ...process.env, ...stack.variables },
      });
      assert.match(stdout + stderr, /V8 code cache for ESM file:\/\/\/app\/main\.js was accepted/, service);
    }
  });

  test("two gateways, two orders and three workers neither lose nor double an order", async () => {
    await stack.up({ gateway: 2, orders: 2, worker: 3 });
    const bases = await stack.gateways();
    assert.equal(bases.length, 2);
    const reports = await Promise.all(bases.map((one) => runDemo({ base: one, orders: 100 })));
    for (const report of reports) assert.ok(report.ok, table(report));
  });

  test("on a stop, every container exits cleanly within its grace period", async () => {
    await stack.stop();
    const report = endReport(await containers(stack.variables));
    assert.ok(report.ok, report.text);
  });
}
