import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { file, loadConfig } from "@plumbline/config";
import { followLiveSettings } from "@plumbline/service-defaults";
import { noTelemetry } from "@plumbline/telemetry";
import { GatewayConfig } from "../src/config.ts";
import { openGateway } from "./support/gateway.ts";
import { MemoryUpstream } from "./support/memory-upstream.ts";
import { plumbline } from "./support/orders.ts";
import { replaceFile } from "./support/replace-file.ts";

const upstream = new MemoryUpstream(plumbline, { SayHello: () => ({ message: "Hello" }) });
const rates = (perSecond: number, burst: number, global = 0) => ({
  rateLimit: { perClient: { perSecond, burst }, global: { perSecond: global, burst } },
});

describe("a client that is too fast", () => {
  test("gets 429 with the time to retry and the limit that it exceeded", async () => {
    await using gateway = await openGateway(plumbline, { upstream, settings: rates(0.5, 2) });
    const first = await gateway.fetch("/v1/greetings/a");
    assert.equal(first.headers.get("ratelimit-policy"), '"client";q=2;w=4');
    assert.equal(first.headers.get("ratelimit"), '"client";r=1;t=2');
    await gateway.fetch("/v1/greetings/a");
    const refused = await gateway.fetch("/v1/greetings/a");
    assert.equal(refused.status, 429);
    assert.equal(refused.headers.get("retry-after"), "2");
    assert.equal(refused.headers.get("ratelimit"), '"client";r=0;t=4');
    const problem = (await refused.json()) as { code: string; reason: string };
    assert.deepEqual([problem.code, problem.reason], ["resource_exhausted", "RATE_LIMITED"]);
  });

  test("still reaches the probes", async () => {
    await using gateway = await openGateway(plumbline, { upstream, settings: rates(0.001, 1) });
    for (let i = 0; i < 5; i++) assert.equal((await gateway.fetch("/readyz")).status, 200);
  });

  test("is refused by the global rate, if that is exceeded first", async () => {
    await using gateway = await openGateway(plumbline, { upstream, settings: rates(0, 1, 0.001) });
    assert.equal((await gateway.fetch("/v1/greetings/a")).status, 200);
    assert.equal((await gateway.fetch("/v1/greetings/a")).status, 429);
  });

  test("is identified by its address; X-Forwarded-For counts only behind trusted proxies", async () => {
    const statuses = async (trustProxy: number | false): Promise<number[]> => {
      await using gateway = await openGateway(plumbline, { upstream, settings: rates(0.001, 1), trustProxy });
      const answers: number[] = [];
      for (const from of ["192.0.2.1", "192.0.2.2"]) {
        answers.push((await gateway.fetch("/v1/greetings/a", { headers: { "x-forwarded-for": from } })).status);
      }
      return answers;
    };
    assert.deepEqual(await statuses(false), [200, 429]);
    assert.deepEqual(await statuses(1), [200, 200]);
  });
});

test("behind a proxy each client is counted once, however the proxy or the client writes its address", async () => {
  await using gateway = await openGateway(plumbline, { upstream, settings: rates(0.001, 1), trustProxy: 1 });
  const status = async (from: string): Promise<number> =>
    (await gateway.fetch("/v1/greetings/a", { headers: { "x-forwarded-for": from } })).status;
  for (const addresses of [
    ["203.0.113.5:1111", "203.0.113.5:2222", "203.0.113.5"],
    ["[2001:db8::1]:1", "[2001:db8::1]:2", "2001:db8::ffff:2", "2001:DB8:0:0:1::"],
    ["::ffff:198.51.100.9", "::ffff:c633:6409", "198.51.100.9", "1.1.1.1, 198.51.100.9"],
    // No addresses: all of them count as the proxy.
    ["unknown", "_hidden", "x".repeat(50), "y".repeat(12_000), "1.2.3.4.5", ""],
  ]) {
    for (const [at, address] of addresses.entries())
      assert.equal(await status(address), at === 0 ? 200 : 429, address.slice(0, 50));
  }
});

test("the rate limit follows its file without a restart, and an invalid file keeps the last valid limit", async () => {
  const folder = await mkdtemp(join(tmpdir(), "gateway-"));
  const path = join(folder, "gateway.yaml");
  const write = (text: string): Promise<void> => replaceFile(path, text);
  const yaml = (perSecond: unknown): string =>
    `auth: {off: true}\nhttp: {host: 127.0.0.1}\nrateLimit: {perClient: {perSecond: ${String(perSecond)}, burst: 1}}`;
  const warnings: string[] = [];
  const logger = { ...noTelemetry.logger, warn: (message: string) => void warnings.push(message) };
  try {
    await write(yaml(0.001));
    const sources = [file(path)];
    const config = await loadConfig(GatewayConfig, sources);
    await using settings = await followLiveSettings(GatewayConfig, config, { sources }, logger);
    await using gateway = await openGateway(plumbline, { upstream, settings: settings.current });
    const statusIs = async (wanted: number): Promise<void> => {
      const end = performance.now() + 10_000;
      while ((await gateway.fetch("/v1/greetings/a")).status !== wanted)
        assert.ok(performance.now() < end, `no ${wanted} in time`);
    };

    await statusIs(429);
    await write(yaml(0));
    await statusIs(200);
    await write(yaml("many"));
    const end = performance.now() + 10_000;
    while (warnings.length === 0) {
      assert.ok(performance.now() < end, "the invalid file was not reported");
      assert.equal((await gateway.fetch("/v1/greetings/a")).status, 200);
    }
    await write(yaml(0.001));
    await statusIs(429);
  } finally {
    await rm(folder, { recursive: true });
  }
});
