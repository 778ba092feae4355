/** The document and the endpoints in real stores, followed by the process and by a real Envoy. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { consulRegistrar, openConsul, putKey } from "@plumbline/consul";
import { etcdRegistrar, openEtcd } from "@plumbline/etcd";
import type { Registrar } from "@plumbline/rpc/discovery";
import {
  eventually,
  freePort,
  startTestEnvoy,
  testConsul,
  testEtcd,
  whyNoConsul,
  whyNoEnvoy,
  whyNoEtcd,
} from "@plumbline/tools-engines";
import { startProcess } from "./process.ts";
import { answeredBy, startBackend } from "./support.ts";

/** A store of documents and registrations, and the settings by which the control plane uses it. */
interface Store extends AsyncDisposable {
  readonly settings: Readonly<Record<string, string>>;
  readonly registrar: Registrar;
  /** The beginning of a target of the store. */
  readonly scheme: string;
  put(key: string, document: string): Promise<unknown>;
}

const stores = [
  {
    name: "etcd",
    skip: whyNoEtcd(),
    open: async (): Promise<Store> => {
      await using opened = new AsyncDisposableStack();
      const { url } = opened.use(await testEtcd());
      const etcd = opened.use(openEtcd({ endpoints: [url] }));
      const owned = opened.move();
      return {
        settings: { CONTROL_PLANE_CONFIG_ETCD_ENDPOINTS: url, CONTROL_PLANE_DISCOVERY_ETCD_ENDPOINTS: url },
        registrar: etcdRegistrar(etcd),
        scheme: "etcd:///",
        put: (key, document) => etcd.put(key, document),
        [Symbol.asyncDispose]: () => owned.disposeAsync(),
      };
    },
  },
  {
    name: "consul",
    skip: whyNoConsul(),
    open: async (): Promise<Store> => {
      await using opened = new AsyncDisposableStack();
      const { url } = opened.use(await testConsul());
      const consul = opened.use(openConsul({ url }));
      const owned = opened.move();
      return {
        settings: { CONTROL_PLANE_CONFIG_CONSUL_URL: url, CONTROL_PLANE_DISCOVERY_CONSUL_URL: url },
        registrar: consulRegistrar(consul),
        scheme: "consul:///",
        put: (key, document) => putKey(consul, key, document),
        [Symbol.asyncDispose]: () => owned.disposeAsync(),
      };
    },
  },
];

for (const { name, skip, open } of stores) {
  describe(`the control plane on ${name}`, { skip: skip ?? whyNoEnvoy() ?? false }, () => {
    test("sends changes of routes and of endpoints to Envoy, and keeps the last good document", {
      timeout: 180_000,
    }, async () => {
      await using a = await startBackend("a");
      await using b = await startBackend("b");
      await using store = await open();
      const id = crypto.randomUUID();
      const [key, service] = [`test/${id}/routes.yaml`, `backend-${id}`];
      const [rpcPort, port] = [await freePort(), await freePort()];
      const document = (to: string) =>
        JSON.stringify({
          listeners: { main: { host: "127.0.0.1", port, routes: "main" } },
          clusters: { fixed: { endpoints: [a.endpoint] }, found: { target: `${store.scheme}${service}` } },
          routes: { main: [{ rules: [{ to }] }] },
        });
      const register = (endpoint: string) =>
        store.registrar.register({
          service,
          id: idOf(endpoint),
          address: addressOf(endpoint),
          ops: addressOf(endpoint),
        });

      await store.put(key, document("fixed"));
      await using _b = await register(b.endpoint);
      await using controlPlane = startProcess(rpcPort, {
        ...store.settings,
        CONTROL_PLANE_CONFIG_SOURCE: name,
        CONTROL_PLANE_CONFIG_OPTIONAL: "true",
        CONTROL_PLANE_ROUTES_KEY: key,
      });
      await controlPlane.logged("control-plane is listening");
      await using _envoy = await startTestEnvoy({ controlPlanePort: rpcPort, variant: "delta" });
      const url = `http://127.0.0.1:${port}/`;
      await answeredBy(url, "a");

      await store.put(key, document("found"));
      await answeredBy(url, "b");

      // A server that registers itself gets requests, and one that has left gets none.
      {
        await using _a = await register(a.endpoint);
        await answeredBy(url, "a");
      }
      await eventually(
        () => answers(url, 10),
        (seen) => seen.every((text) => text === "b"),
      );

      await store.put(key, document("mising"));
      await controlPlane.logged("routes not changed");
      const refused = controlPlane.lines("routes not changed");
      assert.equal(refused.length, 1);
      assert.match(JSON.stringify(refused), new RegExp(`routes\\.main\\.0\\.rules\\.0\\.to .*${key}.*mising`));
      await answeredBy(url, "b");

      await store.put(key, document("fixed"));
      await answeredBy(url, "a");
    });
  });
}

const idOf = (endpoint: string): string => endpoint.replace(/\W/g, "-");

function addressOf(endpoint: string): { readonly host: string; readonly port: number } {
  const [host = "", port] = endpoint.split(":");
  return { host, port: Number(port) };
}

function answers(url: string, count: number): Promise<string[]> {
  return Promise.all(Array.from({ length: count }, async () => await (await fetch(url)).text()));
}
