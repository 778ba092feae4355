import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { startFakeApi } from "../test/fake-api.ts";
import { Kube } from "./kube.ts";
import { kubernetesResolver } from "./resolver.ts";

const slice = {
  metadata: { name: "orders-x1" },
  endpoints: [
    { addresses: ["10.1.0.1"], conditions: { ready: true } },
    { addresses: ["10.1.0.2"], conditions: { ready: false } },
    { addresses: ["10.1.0.3"], conditions: {} },
  ],
  ports: [
    { name: "grpc", port: 50_052 },
    { name: "ops", port: 9_464 },
  ],
};

void describe("a target kubernetes:///", () => {
  for (const { name, port } of [
    { name: "orders.shop:grpc", port: 50_052 },
    { name: "orders.shop:9464", port: 9_464 },
    { name: "orders:grpc", port: 50_052 },
  ]) {
    void test(`${name} is the ready endpoints of the Service`, async () => {
      await using api = await startFakeApi();
      api.objects = [slice];
      const kube = new Kube({ access: async () => ({ url: api.url, namespace: "shop" }) });
      const watch = kubernetesResolver(kube).watch({ authority: "", name }, AbortSignal.timeout(5_000));
      for await (const addresses of watch) {
        assert.deepEqual(
          addresses,
          ["10.1.0.1", "10.1.0.3"].map((host) => ({ host, port })),
        );
        break;
      }
      assert.equal(api.requests[0]?.query.get("labelSelector"), "kubernetes.io/service-name=orders");
    });
  }

  void test("without a port is refused for a Service with several, and they are named", async () => {
    await using api = await startFakeApi();
    api.objects = [slice];
    const kube = new Kube({ access: async () => ({ url: api.url, namespace: "shop" }) });
    const watch = kubernetesResolver(kube).watch({ authority: "", name: "orders" }, AbortSignal.timeout(5_000));
    await assert.rejects(Array.fromAsync(watch), { message: /several ports \(grpc, ops\)/ });
  });

  for (const name of ["", "Orders", "a.b.c", "orders:", "../secrets", "orders.shop/grpc"]) {
    void test(`${JSON.stringify(name)} is refused, with the expected form`, () => {
      const resolver = kubernetesResolver(new Kube({ access: () => Promise.reject(new Error("unused")) }));
      assert.throws(() => resolver.check?.({ authority: "", name }), {
        code: "invalid_argument",
        message: 'expected "kubernetes:///service.namespace:port"',
      });
    });
  }
});
