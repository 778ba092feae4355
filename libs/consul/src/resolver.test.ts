import { randomUUID } from "node:crypto";
import type { Address } from "@plumbline/rpc/discovery";
import { discoveryConformance } from "@plumbline/rpc/discovery/conformance";
import { proxyTo, testConsul, whyNoConsul } from "@plumbline/tools-engines";
import { openConsul } from "./consul.ts";
import { consulResolver } from "./resolver.ts";

discoveryConformance({
  name: "consul",
  skip: whyNoConsul() ?? false,
  async open() {
    await using opened = new AsyncDisposableStack();
    const engine = opened.use(await testConsul());
    const direct = opened.use(openConsul({ url: engine.url }));
    const proxy = opened.use(await proxyTo(engine.url));
    const consul = opened.use(openConsul({ url: new URL(proxy.url).origin, timeoutMs: 2_000 }));
    const service = `test-${randomUUID()}`;
    const registered = new Map<string, Address>();
    const idOf = ({ host, port }: Address): string => `${service}-${host}-${port}`;
    const put = (path: string, body?: object): Promise<unknown> =>
      direct.call({ method: "PUT", path, body: body && JSON.stringify(body), mayBeMissing: true });
    const set = async (addresses: readonly Address[]): Promise<void> => {
      const wanted = new Set(addresses.map(idOf));
      // Without a check an instance passes at once.
      for (const address of addresses) {
        const [ID, Name] = [idOf(address), service];
        if (!registered.has(ID))
          await put("/v1/agent/service/register", { ID, Name, Address: address.host, Port: address.port });
        registered.set(ID, address);
      }
      for (const id of registered.keys()) {
        if (wanted.has(id)) continue;
        await put(`/v1/agent/service/deregister/${id}`);
        registered.delete(id);
      }
    };
    opened.defer(() => set([]));
    const owned = opened.move();
    return {
      resolver: consulResolver(consul),
      target: `consul:///${service}`,
      set,
      break: async () => proxy.cut(),
      mute: async () => proxy.freeze(),
      restore: async () => proxy.restore(),
      [Symbol.asyncDispose]: () => owned.disposeAsync(),
    };
  },
});
