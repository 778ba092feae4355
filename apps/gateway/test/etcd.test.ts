/** The example of docs/configuration.md: a rate limit that is kept in etcd and watched. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openEtcd } from "@plumbline/etcd";
import { eventually, freePort, testEtcd, whyNoEtcd } from "@plumbline/tools-engines";
import { startGateway } from "./support/gateway-process.ts";

const skip = whyNoEtcd() ?? false;
const behaviour = {};

/** The rates come from the document only. The helper sets others by variables. */
const unset = { GATEWAY_RATE_LIMIT_PER_CLIENT_PER_SECOND: "", GATEWAY_RATE_LIMIT_GLOBAL_PER_SECOND: "" };
const rates = (perSecond: number, burst: number): string =>
  `rateLimit:\n  perClient: { perSecond: ${perSecond}, burst: ${burst} }\n`;

async function status({ url }: { readonly url: string }): Promise<number> {
  const answer = await fetch(`${url}/v1/orders/7`);
  await answer.arrayBuffer();
  return answer.status;
}

test("a rate limit that is put into etcd holds within two seconds in each of three gateways", { skip }, async () => {
  await using server = await testEtcd();
  await using etcd = openEtcd({ endpoints: [server.url] });
  const key = `test/${crypto.randomUUID()}/gateway.yaml`;
  await etcd.put(key, rates(1_000, 1_000));
  const settings = {
    ...unset,
    GATEWAY_CONFIG_SOURCE: "etcd",
    GATEWAY_CONFIG_ETCD_ENDPOINTS: server.url,
    GATEWAY_CONFIG_KEY: key,
  };
  await using first = await startGateway(behaviour, settings);
  await using second = await startGateway(behaviour, settings);
  await using third = await startGateway(behaviour, settings);
  const gateways = [first, second, third];
  for (const gateway of gateways) for (let call = 0; call < 5; call++) assert.equal(await status(gateway), 200);

  const all = (wanted: number) =>
    Promise.all(
      gateways.map((gateway) =>
        eventually(
          () => status(gateway),
          (seen) => seen === wanted,
          2_000,
        ),
      ),
    );
  await etcd.put(key, rates(0.001, 1));
  await all(429);
  await etcd.put(key, "rateLimit:\n  perClient: { perSecond: fast }\n"); // Keeps the last valid one.
  await etcd.put(key, rates(1_000, 1_000));
  await all(200);
  await etcd.delete({ key });
});

test("a gateway starts on the cached document while etcd is away, and not without it", { skip }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "gateway-cache-"));
  try {
    await using server = await testEtcd();
    await using etcd = openEtcd({ endpoints: [server.url] });
    const key = `test/${crypto.randomUUID()}/gateway.yaml`;
    await etcd.put(key, rates(0.001, 1));
    const settings = {
      ...unset,
      GATEWAY_CONFIG_SOURCE: "etcd",
      GATEWAY_CONFIG_ETCD_ENDPOINTS: server.url,
      GATEWAY_CONFIG_KEY: key,
      GATEWAY_CONFIG_CACHE_FILE: join(folder, "gateway.cache"),
    };
    {
      await using gateway = await startGateway(behaviour, settings);
      assert.deepEqual([await status(gateway), await status(gateway)], [200, 429]);
    }
    const away = `http://127.0.0.1:${await freePort()}`;
    await using gateway = await startGateway(behaviour, { ...settings, GATEWAY_CONFIG_ETCD_ENDPOINTS: away });
    assert.deepEqual([await status(gateway), await status(gateway)], [200, 429], "the limit of the cached document");

    const without = { ...settings, GATEWAY_CONFIG_ETCD_ENDPOINTS: away, GATEWAY_CONFIG_CACHE_FILE: "" };
    await assert.rejects(startGateway(behaviour, without), /gateway ended without logging "gateway is listening"/);
    await etcd.delete({ key });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
