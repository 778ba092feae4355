import { lookup, Resolver } from "node:dns/promises";

/**
 * Resolves a name to its addresses, as this machine does (hosts file included) or by `nameServer`
 * ("host:port"). Rejects if there is none, or no answer within seconds.
 */
export async function resolveName(host: string, nameServer?: string): Promise<string[]> {
  if (nameServer === undefined) return (await lookup(host, { all: true })).map(({ address }) => address);
  const resolver = new Resolver({ timeout: 2_000, tries: 2 });
  resolver.setServers([nameServer]);
  const [four, six] = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
  const found = [four, six].flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
  if (found.length === 0 && four.status === "rejected") throw four.reason;
  return found;
}
