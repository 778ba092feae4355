import { Resolver as Lookups, lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { aborted, Event, onAbort, sleep, within } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import type { Address } from "./address.ts";
import { parseAddress } from "./parse-address.ts";
import type { Resolver, ResolverTarget } from "./resolver.ts";

export interface DnsOptions {
  /**
   * The longest time between two lookups of a name, less a jitter of up to a fifth; 30 s if not
   * given.
   */
  readonly refreshMs?: number | undefined;
  /** The shortest time between two lookups of a name; 5 s if not given. */
  readonly leastMs?: number | undefined;
}

/** The longest lookup by this machine's own means, which cannot be cancelled. */
const lookupMs = 10_000;

/**
 * Returns the resolver of names in DNS. "dns:///orders:50052" has the addresses of the name, and
 * "dns:///_grpc._tcp.orders.example" those of its SRV records, each with its own port. A name is
 * looked up again within `refreshMs`, and when a connection was lost. With a name server in the
 * target, the records' time to live shortens the wait.
 */
export function dnsResolver({ refreshMs = 30_000, leastMs = 5_000 }: DnsOptions = {}): Resolver {
  return {
    scheme: "dns",
    example: "dns:///host:port",
    check({ name }) {
      if (isServiceName(name) || parseAddress(name) !== undefined) return;
      throw new ServiceError("invalid_argument", 'expected "dns:///host:port" or "dns:///_service._tcp.host"');
    },
    async *watch(target, signal, lost = new Event()) {
      const address = parseAddress(target.name);
      if (address !== undefined && isIP(address.host) !== 0) {
        yield [address];
        return await aborted(signal);
      }
      for (;;) {
        const { addresses, ttlMs } = await find(target, signal);
        yield addresses;
        const waitMs = Math.max(Math.min(refreshMs, ttlMs) * (1 - Math.random() / 5), leastMs);
        await sleep(leastMs, { signal });
        await lost.wait({ ms: waitMs - leastMs, signal });
      }
    },
  };
}

/** Returns true for a name whose SRV records are meant: it begins with an underscore (RFC 2782). */
export function isServiceName(name: string): boolean {
  return /^_[^.:/]+\._[^.:/]+\.[^:/]+$/.test(name);
}

interface Found {
  readonly addresses: readonly Address[];
  readonly ttlMs: number;
}

async function find(target: ResolverTarget, signal: AbortSignal): Promise<Found> {
  const { authority, name } = target;
  const address = parseAddress(name);
  if (address !== undefined && authority === "") {
    const found = await within(lookup(address.host, { all: true }), { ms: lookupMs, signal, what: "the DNS lookup" });
    const addresses = found.map((one) => ({ host: one.address, port: address.port }));
    return { addresses, ttlMs: Number.POSITIVE_INFINITY };
  }
  const lookups = new Lookups({ timeout: 2_000, tries: 2 });
  if (authority !== "") lookups.setServers([authority]);
  using _ = onAbort(signal, () => lookups.cancel());
  return address === undefined ? await servicesOf(lookups, name) : await addressesOf(lookups, address);
}

/**
 * Asks the name server for the addresses of a name. A name without addresses has an empty list. An
 * unknown name rejects, since a name server that has lost its data does not know it either.
 */
async function addressesOf(lookups: Lookups, { host, port }: Address): Promise<Found> {
  const [four, six] = await Promise.allSettled([
    lookups.resolve4(host, { ttl: true }),
    lookups.resolve6(host, { ttl: true }),
  ]);
  if (four.status === "rejected" && !isEmpty(four.reason)) throw four.reason;
  const records = [four, six].flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
  // Some name servers fail for AAAA. The other addresses are complete without them.
  if (records.length === 0 && six.status === "rejected" && !isEmpty(six.reason)) throw six.reason;
  const ttlMs = Math.min(Number.POSITIVE_INFINITY, ...records.map(({ ttl }) => ttl * 1_000));
  return { addresses: records.map(({ address }) => ({ host: address, port })), ttlMs };
}

/** The most targets of SRV records whose addresses are looked up. */
const maxServices = 1_000;

/**
 * Asks for the SRV records of a name, and for the addresses of their targets. Only the records of
 * the best priority are used. Weights are not.
 */
async function servicesOf(lookups: Lookups, name: string): Promise<Found> {
  const services = await lookups.resolveSrv(name).catch((error: unknown) => {
    if (isEmpty(error)) return [];
    throw error;
  });
  const best = Math.min(...services.map(({ priority }) => priority));
  const used = services.filter(({ priority }) => priority === best).slice(0, maxServices);
  const found = await Promise.all(
    used.map(async ({ name: host, port }) => {
      try {
        return await addressesOf(lookups, { host, port });
      } catch (error) {
        if (codeOf(error) === "ENOTFOUND") return { addresses: [], ttlMs: Number.POSITIVE_INFINITY };
        throw error;
      }
    }),
  );
  return {
    addresses: found.flatMap(({ addresses }) => addresses),
    ttlMs: Math.min(Number.POSITIVE_INFINITY, ...found.map(({ ttlMs }) => ttlMs)),
  };
}

function isEmpty(error: unknown): boolean {
  return codeOf(error) === "ENODATA";
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
