/**
 * Three services, one with each set of parts, in a copy of the repository in which everything
 * passes.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { freePorts } from "@plumbline/tools-engines";
import { Copy } from "./copy.ts";

const services = [
  { name: "gift-box", with: "" },
  { name: "parcel", with: "postgres" },
  { name: "story", with: "postgres,events" },
] as const;
const projects = services.map(({ name }) => `@plumbline/${name}`);

let copy: Copy;
before(() => {
  copy = new Copy();
});
after(() => copy[Symbol.dispose]());

async function passes(command: string, ...args: string[]): Promise<string> {
  const { status, output } = await copy.run(command, args);
  assert.equal(status, 0, `${command} ${args.join(" ")} failed:\n${output.slice(-6_000)}`);
  return output;
}

const generate = (...args: string[]) => ["g", "@plumbline/tools-generate:service", ...args];

test("a dry run writes nothing", async () => {
  const before = copy.read("tools/stack/src/services.ts");
  await passes("nx", ...generate("gift-box", "--dry-run"));
  assert.equal(copy.read("tools/stack/src/services.ts"), before);
});

for (const service of services) {
  test(`the service ${service.name} is generated with ${service.with || "no parts"}`, async () => {
    const parts = service.with === "" ? [] : [`--with=${service.with}`];
    const output = await passes("nx", ...generate(service.name, ...parts));
    assert.match(output, /Next:\n/);
    assert.match(copy.read(`apps/${service.name}/README.md`), new RegExp(`^# ${service.name}\n`));
  });
}

test("a taken name and an unknown part are refused with the reason, and nothing is written", async () => {
  for (const { args, says } of [
    { args: ["gift-box"], says: /apps\/gift-box exists already/ },
    { args: ["cart", "--with=mysql"], says: /--with takes postgres, events, not mysql/ },
  ]) {
    const { status, output } = await copy.run("nx", generate(...args));
    assert.notEqual(status, 0);
    assert.match(output, says);
  }
  assert.throws(() => copy.read("apps/cart/package.json"));
});

test("lint, types, tests and builds of the generated services pass from an empty cache", async () => {
  const touched = ["@plumbline/contracts", "@plumbline/gateway", "@plumbline/tools-stack"];
  const all = [...projects, ...touched].join(",");
  await passes("nx", "run-many", "-t", "lint", "typecheck", "build", "-p", all, "--parallel=1", "--outputStyle=static");
  const tested = [...projects, "@plumbline/contracts", "@plumbline/tools-stack", "@plumbline/tools-check"].join(",");
  await passes("nx", "run-many", "-t", "test", "-p", tested, "--parallel=1", "--outputStyle=static");
});

test("protos, boundaries, derived files, settings, prose and unused code pass", async () => {
  await passes("nx", "run", "@plumbline/contracts:breaking");
  await passes("npm", "run", "boundaries");
  await passes("npm", "run", "access", "--", "--check");
  await passes("npm", "run", "services", "--", "--check");
  await passes("npm", "run", "settings", "--", "--check");
  await passes("npm", "run", "prose", "--", ...services.map(({ name }) => `apps/${name}`), "protos");
  await passes("knip", "--no-config-hints");
});

const compose = spawnSync("docker", ["compose", "version"]).status === 0;
test("docker compose takes the file", { skip: !compose && "docker compose is not installed" }, async () => {
  const output = await passes("docker", "compose", "config", "--format", "json");
  const config = JSON.parse(output.slice(output.indexOf("{"))) as {
    readonly services: Readonly<Record<string, unknown>>;
  };
  for (const { name } of services) assert.ok(config.services[name] !== undefined, name);
});

test("under npm start they answer REST through the gateway, and an order's event arrives", async () => {
  const [first] = await freePorts(30);
  const child = spawn("npm", ["start", "--", "--fresh", "--ports-from", `${first}`], {
    cwd: copy.folder,
    env: copy.environment(),
    stdio: ["ignore", "pipe", "pipe"],
  });
  const closed = once(child, "close");
  let output = "";
  const ready = Promise.withResolvers<void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      if (/^Ready after/m.test(output)) ready.resolve();
    });
  }
  closed.then(() => ready.reject(new Error(`npm start ended:\n${output.slice(-4_000)}`))).catch(() => {});
  try {
    await ready.promise;
    const gateway = `http://127.0.0.1:${first}`;
    const authorization = copy.read(".plumbline/ada").trim().replace("Authorization: ", "");
    assert.equal((await fetch(`${gateway}/v1/parcels/a`)).status, 401);
    const call = async (path: string, body?: object): Promise<Record<string, unknown>> => {
      const response = await fetch(gateway + path, {
        signal: AbortSignal.timeout(10_000),
        headers: { authorization, "content-type": "application/json" },
        ...(body && { method: "POST", body: JSON.stringify(body) }),
      });
      return { status: response.status, ...((await response.json()) as object) };
    };
    assert.deepEqual(await call("/v1/gift-boxes/7"), { status: 200, giftBox: { id: "7", name: "gift box 7" } });
    const created = await call("/v1/parcels", { parcelId: "a", name: "one" });
    assert.equal(created["status"], 200);
    assert.deepEqual(await call("/v1/parcels/a"), created);

    const order = await call("/v1/orders", { customerId: "ada", items: [{ sku: "tea", quantity: 1 }] });
    const giveUpAt = performance.now() + 20_000;
    let story = await call(`/v1/stories/${String(order["id"])}`);
    while (story["status"] === 404 && performance.now() < giveUpAt) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      story = await call(`/v1/stories/${String(order["id"])}`);
    }
    assert.equal((story["story"] as { name?: string } | undefined)?.name, "order of ada", JSON.stringify(story));
  } finally {
    child.kill("SIGTERM");
    await closed;
  }
});
