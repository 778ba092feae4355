import { after, before } from "node:test";
import { conformance } from "@plumbline/config/conformance";
import { proxyTo, testEtcd, whyNoEtcd } from "@plumbline/tools-engines";
import { openEtcd } from "./etcd.ts";
import { etcdSource } from "./source.ts";

let server: Awaited<ReturnType<typeof testEtcd>>;
const skip = whyNoEtcd();

before(async () => {
  if (skip === undefined) server = await testEtcd();
});
after(() => server?.[Symbol.asyncDispose]());

conformance({
  name: "etcd",
  skip,
  isRemote: true,
  async open() {
    const key = `test/${crypto.randomUUID()}/orders.yaml`;
    const direct = openEtcd({ endpoints: [server.url] });
    const proxy = await proxyTo(server.url);
    let clients = new AsyncDisposableStack();
    return {
      origin: `etcd://${new URL(proxy.url).host}/${key}`,
      source(options) {
        const etcd = clients.use(openEtcd({ endpoints: [proxy.url] }));
        return etcdSource({ etcd, key, ...options });
      },
      put: async (text) => void (await direct.put(key, text)),
      delete: async () => void (await direct.delete({ key })),
      cut: () => proxy.cut(),
      mute: () => proxy.silence(),
      restore: () => proxy.restore(),
      async loseHistory() {
        const { revision } = await direct.range({ key });
        await direct.compact(revision);
      },
      async release() {
        await clients.disposeAsync();
        clients = new AsyncDisposableStack();
      },
      connections: () => proxy.connections(),
      async [Symbol.asyncDispose]() {
        await clients.disposeAsync();
        await direct.delete({ key });
        await direct[Symbol.asyncDispose]();
        await proxy[Symbol.asyncDispose]();
      },
    };
  },
});
