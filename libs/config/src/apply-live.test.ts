import assert from "node:assert/strict";
import test from "node:test";
import { z } from "zod";
import { applyLive } from "./apply-live.ts";
import { listSettings } from "./list-settings.ts";
import { loadConfig } from "./load-config.ts";
import { env } from "./sources/env.ts";
import { live, port, secret } from "./types.ts";

const schema = z.object({
  rpc: z.object({ port: port(1), maxItems: live(z.int().default(100).describe("Items of one order.")) }),
  limits: live(z.object({ perSecond: z.number().default(10), tags: z.array(z.string()).default([]) })),
  token: secret().optional(),
  motd: live(z.string().optional()),
});
const load = (environment: Record<string, string> = {}) => loadConfig(schema, [env("X", environment)]);

test("a live setting, and every setting of a live section, is listed as live", () => {
  const keys = listSettings(schema, "X").filter((row) => row.live);
  assert.deepEqual(
    keys.map(({ key }) => key),
    ["rpc.maxItems", "limits.perSecond", "limits.tags", "motd"],
  );
  assert.equal(keys[0]?.description, "Items of one order.");
});

test("changed live settings are applied, and the others keep their running values", async () => {
  const running = await load();
  const changed = await load({ X_RPC_PORT: "2", X_RPC_MAX_ITEMS: "5", X_LIMITS_TAGS: "a, b", X_MOTD: "hello" });
  const { config, needRestart } = applyLive(schema, running, changed);
  assert.deepEqual(config, {
    rpc: { port: 1, maxItems: 5 },
    limits: { perSecond: 10, tags: ["a", "b"] },
    motd: "hello",
  });
  assert.deepEqual(needRestart, ["rpc.port"]);
  assert.deepEqual(running.rpc, { port: 1, maxItems: 100 }, "the configuration before is not touched");
});

test("a live setting that is taken away returns to its default, or is absent", async () => {
  const running = await load({ X_RPC_MAX_ITEMS: "5", X_MOTD: "hello" });
  const { config } = applyLive(schema, running, await load());
  assert.equal(config.rpc.maxItems, 100);
  assert.ok(!("motd" in config));
});

test("the applied configuration is frozen", async () => {
  const { config } = applyLive(schema, await load(), await load({ X_RPC_MAX_ITEMS: "5" }));
  assert.ok(Object.isFrozen(config) && Object.isFrozen(config.rpc));
});

test("nothing is applied and nothing needs a restart if nothing changed", async () => {
  const running = await load({ X_TOKEN: "one" });
  const { config, needRestart } = applyLive(schema, running, await load({ X_TOKEN: "one" }));
  assert.equal(config, running);
  assert.deepEqual(needRestart, []);
});

test("a changed secret that is not live needs a restart", async () => {
  const { needRestart } = applyLive(schema, await load({ X_TOKEN: "one" }), await load({ X_TOKEN: "two" }));
  assert.deepEqual(needRestart, ["token"]);
});
