/** The resolvers of this library against the suite that every resolver passes. */
import { platform } from "node:os";
import { discoveryConformance } from "../src/discovery/conformance.ts";
import { dnsResolver } from "../src/discovery/dns.ts";
import { staticResolver } from "../src/discovery/static.ts";
import { type NameServer, startNameServer } from "./name-server.ts";

const skip = platform() === "linux" ? false : "needs 127.0.0.2 and up, which only Linux has without setting them up";
const resolver = dnsResolver({ refreshMs: 2_000, leastMs: 1_000 });

discoveryConformance({
  name: "static",
  skip,
  changes: false,
  open: async (servers) => ({
    resolver: staticResolver("ipv4"),
    target: `ipv4:${servers.map(({ host, port }) => `${host}:${port}`).join()}`,
    set: async () => {},
    [Symbol.asyncDispose]: async () => {},
  }),
});

discoveryConformance({
  name: "dns",
  skip,
  open: async ([first]) => {
    const names = await startNameServer();
    return {
      resolver,
      target: `dns://${names.authority}/replicas.test:${first?.port}`,
      async set(addresses) {
        names.addresses = addresses.map(({ host }) => host);
      },
      ...faultsOf(names),
    };
  },
});

discoveryConformance({
  name: "dns with SRV records",
  skip,
  samePort: false,
  open: async () => {
    const names = await startNameServer();
    return {
      resolver,
      target: `dns://${names.authority}/_grpc._tcp.replicas.test`,
      async set(addresses) {
        for (const { host } of addresses) names.named.set(nameOf(host), [host]);
        names.services = addresses.map(({ host, port }) => ({ host: nameOf(host), port }));
      },
      ...faultsOf(names),
    };
  },
});

function nameOf(host: string): string {
  return `replica-${host.replaceAll(".", "-")}.test`;
}

function faultsOf(names: NameServer) {
  return {
    async break() {
      names.state = "fail";
    },
    async mute() {
      names.state = "silent";
    },
    async restore() {
      names.state = "answer";
    },
    [Symbol.asyncDispose]: () => names[Symbol.asyncDispose](),
  };
}
