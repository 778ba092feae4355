import assert from "node:assert/strict";
import { test } from "node:test";
import { noTelemetry } from "@plumbline/telemetry";
import { type DiscoverySettings, openConfiguredResolvers, openResolvers } from "./open-resolvers.ts";

const none: DiscoverySettings = { etcd: {}, consul: {}, kubernetes: {} };
const all: DiscoverySettings = {
  etcd: { endpoints: ["http://127.0.0.1:1"] },
  consul: { url: "http://127.0.0.1:1" },
  kubernetes: { kubeconfig: "/nowhere" },
};

for (const { targets, want } of [
  { targets: ["dns:///orders:50052", "orders:50052", "ipv4:10.0.0.1:1"], want: [] },
  { targets: ["etcd:///orders", "etcd:///greeter"], want: ["etcd"] },
  { targets: ["consul:///orders", "kubernetes:///greeter.shop:grpc"], want: ["consul", "kubernetes"] },
]) {
  test(`the targets ${targets.join(" ")} open the resolvers ${want.join(" ") || "of no registry"}`, async () => {
    await using opened = await openResolvers(targets, all, noTelemetry.logger);
    assert.deepEqual(
      opened.resolvers.map(({ scheme }) => scheme),
      want,
    );
  });
}

for (const { target, setting } of [
  { target: "etcd:///orders", setting: "discovery.etcd.endpoints" },
  { target: "consul:///orders", setting: "discovery.consul.url" },
]) {
  test(`the target ${target} without ${setting} is refused, and the setting is named`, async () => {
    await assert.rejects(openResolvers([target], none, noTelemetry.logger), { message: new RegExp(setting) });
  });
}

for (const { name, settings, environment, want } of [
  { name: "no registry", settings: none, environment: {}, want: [] },
  { name: "etcd alone", settings: { ...none, etcd: all.etcd }, environment: {}, want: ["etcd"] },
  { name: "all of them", settings: all, environment: {}, want: ["etcd", "consul", "kubernetes"] },
  {
    name: "none, in a pod",
    settings: none,
    environment: { KUBERNETES_SERVICE_HOST: "10.0.0.1" },
    want: ["kubernetes"],
  },
]) {
  test(`settings that name ${name} open ${want.join(", ") || "nothing"} for targets that come later`, async () => {
    await using opened = await openConfiguredResolvers(settings, noTelemetry.logger, environment);
    assert.deepEqual(
      opened.resolvers.map(({ scheme }) => scheme),
      want,
    );
  });
}
