import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { OpenFeature, ProviderEvents } from "@openfeature/server-sdk";
import { checkout, following } from "../test/following.ts";
import { asOpenFeatureProvider } from "./openfeature.ts";

test("a client of OpenFeature gets the flags, their reasons, and events as the document changes", async () => {
  await using app = await following(checkout(100));
  await OpenFeature.setProviderAndWait("domain-1", asOpenFeatureProvider(app.flags));
  const client = OpenFeature.getClient("domain-1");
  const events: string[] = [];
  for (const event of [ProviderEvents.Ready, ProviderEvents.Stale, ProviderEvents.ConfigurationChanged]) {
    client.addHandler(event, (details) => {
      const { flagsChanged = [] } = (details ?? {}) as { flagsChanged?: string[] };
      events.push(`${event} ${flagsChanged.join()}`.trim());
    });
  }
  const until = async (wanted: string): Promise<void> => {
    for (let n = 0; n < 500 && events.at(-1) !== wanted; n++) await sleep(10);
    assert.equal(events.at(-1), wanted);
  };
  await until("PROVIDER_READY");
  const context = { targetingKey: "customer-1" };
  const { value, reason, variant } = await client.getBooleanDetails("checkout-v2", false, context);
  assert.deepEqual({ value, reason, variant }, { value: true, reason: "TARGETING_MATCH", variant: "on" });
  const missing = await client.getNumberDetails("none", 5);
  assert.deepEqual([missing.value, missing.reason, missing.errorCode], [5, "ERROR", "FLAG_NOT_FOUND"]);
  assert.equal((await client.getStringDetails("checkout-v2", "x", context)).errorCode, "TYPE_MISMATCH");
  assert.deepEqual(await client.getObjectValue("none", { a: 1 }), { a: 1 });

  await app.change("{", () => app.flags.status === "STALE");
  await until("PROVIDER_STALE");
  assert.equal(client.providerStatus, "STALE");
  assert.equal(await client.getBooleanValue("checkout-v2", false, context), true);
  await app.change(checkout(0), () => app.flags.status === "READY");
  await until("PROVIDER_CONFIGURATION_CHANGED checkout-v2");
  assert.equal(client.providerStatus, "READY");
  assert.equal(await client.getBooleanValue("checkout-v2", true, context), false);
  await OpenFeature.close();
});

test("a provider without a valid document is in error, and ready once there is one", async () => {
  await using app = await following("{");
  await assert.rejects(
    OpenFeature.setProviderAndWait("domain-2", asOpenFeatureProvider(app.flags)),
    /no valid document/,
  );
  const client = OpenFeature.getClient("domain-2");
  assert.equal(await client.getBooleanValue("checkout-v2", true), true);
  const ready = new Promise<void>((resolve) => client.addHandler(ProviderEvents.Ready, () => resolve()));
  await app.change(checkout(100), () => app.flags.status === "READY");
  await ready;
  assert.equal(await client.getBooleanValue("checkout-v2", false, { targetingKey: "1" }), true);
  await OpenFeature.close();
});
