/** `npm start -- --etcd`: settings and flags live in etcd, and a put holds in every replica. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { findEtcd, howToGetEtcd, whyNoEtcdServer } from "@plumbline/tools-engines";
import { call, eventually, post } from "../src/http.ts";
import { root, runStack } from "../src/stack.ts";

// Docker alone is not enough here: tests pull no image.
const skip = whyNoEtcdServer() ?? (findEtcd() === undefined ? `needs etcd: ${howToGetEtcd}` : false);
/** The time in which a put holds in every replica. */
const liveMs = 2_000;

/** Calls etcd's gateway of JSON over HTTP, in which keys and values are base64. */
async function etcdCall(url: string, method: string, body: Record<string, string>): Promise<Record<string, unknown>> {
  const encoded = Object.fromEntries(Object.entries(body).map(([name, text]) => [name, btoa(text)]));
  const answer = await post(`${url}/v3/kv/${method}`, encoded);
  assert.equal(answer.status, 200, answer.text);
  return answer.json;
}

async function put(url: string, key: string, value: string): Promise<void> {
  await etcdCall(url, "put", { key, value });
}

async function get(url: string, key: string): Promise<string | undefined> {
  const { kvs } = (await etcdCall(url, "range", { key })) as { kvs?: { value: string }[] };
  const [found] = kvs ?? [];
  return found && atob(found.value);
}

const rates = (burst: number): string => `rateLimit:\n  perClient: { perSecond: ${burst}, burst: ${burst} }\n`;

function flags(size: number): string {
  const flag = { state: "ENABLED", variants: { usual: size }, defaultVariant: "usual" };
  return JSON.stringify({ flags: { "orders-page-size": flag } });
}

test("a rate limit and a flag that are put into etcd hold in every replica of the stack", { skip }, async () => {
  await using running = await runStack({ etcd: findEtcd(), scale: { gateway: 2, orders: 2 } });
  const url = running.stack.etcd?.url ?? "";
  assert.equal(
    await get(url, "plumbline/config/gateway.yaml"),
    readFileSync(join(root, "config/gateway.yaml"), "utf8"),
    "the first start puts the documents of config/",
  );
  const gateways = await running.stack.gateways();
  const [base = ""] = gateways;
  for (let n = 0; n < 3; n++) {
    await post(`${base}/v1/orders`, { customerId: "flagged", items: [{ sku: "tea", quantity: 1 }] });
  }
  const sizes = async (): Promise<number[]> => {
    // Enough calls for both replicas of orders.
    const pages = await Promise.all(Array.from({ length: 8 }, () => call(`${base}/v1/orders?customerId=flagged`)));
    return pages.map(({ json }) => (json["orders"] as unknown[]).length);
  };
  assert.ok((await sizes()).every((size) => size === 3));
  await put(url, "plumbline/flags/orders.json", flags(2));
  await eventually(sizes, (all) => all.every((size) => size === 2), liveMs);

  const statuses = (): Promise<number[]> =>
    Promise.all(gateways.map(async (gateway) => (await call(`${gateway}/v1/orders?customerId=flagged`)).status));
  assert.deepEqual(await statuses(), [200, 200]);
  await put(url, "plumbline/config/gateway.yaml", rates(0.001).replace("burst: 0.001", "burst: 1"));
  await eventually(statuses, (all) => all.every((status) => status === 429), liveMs);
  await put(url, "plumbline/config/gateway.yaml", rates(1_000));
  await eventually(statuses, (all) => all.every((status) => status === 200), liveMs);
});

test("without etcd the start says how to get it, with exit code 2", {
  skip: existsSync("/usr/bin/etcd") && "this machine has etcd at a place that does not depend on PATH",
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), "plumbline-no-etcd-"));
  try {
    symlinkSync(process.execPath, join(folder, "node"));
    const script = ["-C", "source", "tools/stack/src/main.ts", "--etcd"];
    const child = spawn(process.execPath, script, {
      cwd: root,
      env: { PATH: folder },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (output += text));
    const [code] = await once(child, "close");
    assert.equal(code, 2, output);
    assert.match(output, /--etcd finds no etcd: install etcd \(apt-get install etcd-server/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
