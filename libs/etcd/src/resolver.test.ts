import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { connect } from "@plumbline/rpc";
import { discoveryConformance } from "@plumbline/rpc/discovery/conformance";
import { noTelemetry } from "@plumbline/telemetry";
import { proxyTo, testEtcd, whyNoEtcd } from "@plumbline/tools-engines";
import { openEtcd, type Write } from "./etcd.ts";
import { etcdResolver } from "./resolver.ts";

const skip = whyNoEtcd() ?? false;
const engines = new AsyncDisposableStack();
let url = "";

before(async () => {
  if (skip === false) url = engines.use(await testEtcd()).url;
});
after(() => engines.disposeAsync());

discoveryConformance({
  name: "etcd",
  skip,
  // After ten seconds of silence the watch ends, and the next one is up to five seconds away.
  afterSilenceMs: 20_000,
  async open() {
    const prefix = `test/${crypto.randomUUID()}/`;
    const direct = openEtcd({ endpoints: [url] });
    const proxy = await proxyTo(url);
    const etcd = openEtcd({ endpoints: [new URL(proxy.url).origin] });
    return {
      resolver: etcdResolver(etcd, { prefix }),
      target: "etcd:///orders",
      async set(addresses) {
        const { entries } = await direct.range({ prefix });
        const wanted = new Map(addresses.map(({ host, port }) => [`${prefix}orders/${host}`, { host, port }]));
        const writes: Write[] = [
          ...entries.filter(({ key }) => !wanted.has(key)).map(({ key }) => ({ delete: key })),
          ...[...wanted].map(([key, address]) => ({ put: key, value: JSON.stringify(address) })),
        ];
        await direct.transact({ unchanged: {}, writes });
      },
      break: async () => proxy.cut(),
      mute: async () => proxy.freeze(),
      restore: async () => proxy.restore(),
      async [Symbol.asyncDispose]() {
        await etcd[Symbol.asyncDispose]();
        await direct.delete({ prefix });
        await direct[Symbol.asyncDispose]();
        await proxy[Symbol.asyncDispose]();
      },
    };
  },
});

test("a value that is no address is left out, and reported with its key", { skip }, async () => {
  await using etcd = openEtcd({ endpoints: [url] });
  const prefix = `test/${crypto.randomUUID()}/`;
  const faults: string[] = [];
  const resolver = etcdResolver(etcd, { prefix, onFault: (error) => faults.push(String(error)) });
  await etcd.put(`${prefix}orders/a`, '{"host":"10.0.0.1","port":1}');
  await etcd.put(`${prefix}orders/b`, "hello");
  await etcd.put(`${prefix}orders-of-others/c`, '{"host":"10.0.0.3","port":3}');
  const stop = new AbortController();
  for await (const addresses of resolver.watch({ authority: "", name: "orders" }, stop.signal)) {
    assert.deepEqual(addresses, [{ host: "10.0.0.1", port: 1 }]);
    stop.abort();
  }
  assert.match(faults.join(), /orders\/b: expected/);
  await etcd.delete({ prefix });
});

for (const target of ["etcd:///orders:50052", "etcd://other/orders", "etcd:///a/b"]) {
  test(`the target ${target} is refused at once`, async () => {
    await using etcd = openEtcd({ endpoints: ["http://127.0.0.1:1"] });
    const connecting = connect(target, noTelemetry, { resolvers: [etcdResolver(etcd)] });
    await assert.rejects(connecting, { code: "invalid_argument", message: /etcd:\/\/\/service/ });
  });
}
