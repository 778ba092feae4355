/** Faults of a cluster under watches, leases and a source of settings: what must not be missed. */
import assert from "node:assert/strict";
import { background, sleep } from "@plumbline/concurrency";
import { watchConfig } from "@plumbline/config";
import { codeOf } from "@plumbline/errors";
import { type EtcdCluster, type EtcdServer, type Proxy, proxyTo } from "@plumbline/tools-engines";
import { z } from "zod";
import { type Etcd, openEtcd } from "../src/etcd.ts";
import { etcdRegistrar } from "../src/registrar.ts";
import { etcdResolver } from "../src/resolver.ts";
import { etcdSource } from "../src/source.ts";

/** The result of one fault. */
export interface Round {
  readonly fault: string;
  /** The time from the fault, or from its end for a cut, until every observer had all changes. */
  readonly tookMs: number;
  readonly limitMs: number;
  /** The registrations that were gone for a while. */
  readonly lost: number;
}

interface Place {
  readonly cluster: EtcdCluster;
  readonly proxies: readonly Proxy[];
  /** A client past the proxies. */
  readonly direct: Etcd;
  /** Puts the next number where all observers look. */
  readonly put: () => Promise<void>;
}

interface Fault {
  readonly name: string;
  readonly limitMs: number;
  /** Resolves with what ends it. */
  begin(place: Place): Promise<(() => Promise<void>) | undefined>;
}

const killedMs = 5_000;
const silentMs = 15_000;
const compactedMs = 2_000;

const killed = async (member: EtcdServer): Promise<() => Promise<void>> => {
  await member.kill();
  return () => member.start();
};

export const faults: readonly Fault[] = [
  { name: "leader killed", limitMs: killedMs, begin: async ({ cluster }) => await killed(await cluster.leader()) },
  {
    name: "member with the most connections killed",
    limitMs: killedMs,
    async begin({ cluster, proxies }) {
      const counts = proxies.map((proxy) => proxy.connections());
      return await killed(cluster.members[counts.indexOf(Math.max(...counts))] as EtcdServer);
    },
  },
  {
    name: "history compacted during a cut",
    limitMs: compactedMs,
    async begin({ proxies, direct, put }) {
      for (const proxy of proxies) proxy.cut();
      for (let n = 0; n < 100; n++) await put();
      await direct.compact((await direct.range({ key: "none" })).revision);
      for (const proxy of proxies) proxy.restore();
      return undefined;
    },
  },
  {
    name: "connections silent",
    limitMs: silentMs,
    async begin({ proxies }) {
      for (const proxy of proxies) proxy.silence();
      return undefined;
    },
  },
  {
    name: "leader cut off from all",
    limitMs: silentMs,
    async begin({ cluster }) {
      const leader = await cluster.leader();
      await leader.pause();
      return () => leader.resume();
    },
  },
  {
    name: "majority away for two seconds",
    limitMs: silentMs,
    async begin({ cluster: { members } }) {
      const away = members.slice(1);
      for (const member of away) await member.pause();
      await sleep(2_000);
      for (const member of away) await member.resume();
      return undefined;
    },
  },
];

const schema = z.object({ n: z.int() });
const registered = { service: "orders", id: "orders-1", address: { host: "127.0.0.1", port: 50_052 } };

/**
 * Yields the result of each round. In each one a fault befalls the cluster while a watch, a
 * follower, a source of settings, a registration and its resolver run, and numbers are put. Throws
 * if an observer misses a number, or is not there after three times the limit.
 */
export async function* roundsOf(cluster: EtcdCluster, order: readonly Fault[]): AsyncGenerator<Round> {
  await using opened = new AsyncDisposableStack();
  const proxies: Proxy[] = [];
  for (const { url } of cluster.members) proxies.push(opened.use(await proxyTo(url)));
  const direct = opened.use(openEtcd({ endpoints: cluster.members.map(({ url }) => url) }));
  const client = (): Etcd => opened.use(openEtcd({ endpoints: proxies.map(({ url }) => new URL(url).origin) }));
  const key = `faults/${crypto.randomUUID()}/n`;
  /** The numbers whose puts were acknowledged, of which a watch must see all. */
  const acknowledged: number[] = [];
  let last = 0;
  const put = async (): Promise<void> => {
    const n = ++last;
    for (;;) {
      try {
        const { entries } = await direct.range({ key });
        if (entries.length > 0 && numberOf(entries[0]?.value) === n) break;
        // Not a plain put: one that timed out may be applied later, over the next numbers.
        const unchanged = { [key]: entries[0]?.revision ?? 0n };
        if (await direct.transact({ unchanged, writes: [{ put: key, value: `n: ${n}` }] })) break;
      } catch {
        await sleep(50); // No leader yet.
      }
    }
    acknowledged.push(n);
  };
  await put();

  const watched = watchedNumbers(opened, client(), key);
  const followed = followedNumber(opened, client(), key);
  const configured = configuredNumber(opened, client(), key);
  const prefix = `faults/${crypto.randomUUID()}/`;
  const discovery = client();
  opened.use(await etcdRegistrar(discovery, { prefix }).register(registered));
  const resolved = resolvedAddresses(opened, client(), prefix);
  const isCaughtUp = (): boolean =>
    [watched.last(), followed(), configured()].every((n) => n === last) && resolved.count() === 1;
  const caughtUp = async (ms: number): Promise<void> => {
    const until = performance.now() + ms;
    while (!isCaughtUp()) {
      const state = { last, watched: watched.last(), followed: followed(), configured: configured() };
      assert.ok(performance.now() < until, `not within ${ms} ms: ${JSON.stringify({ ...state, ...resolved })}`);
      await sleep(10);
    }
  };
  await caughtUp(silentMs);

  const place = { cluster, proxies, direct, put };
  for (const fault of order) {
    const lostBefore = resolved.lost();
    const from = performance.now();
    let since = from;
    const end = await fault.begin(place);
    if (end === undefined) since = performance.now();
    for (let n = 0; n < 5; n++) await put();
    await caughtUp(3 * fault.limitMs);
    const tookMs = performance.now() - since;
    await end?.();
    await cluster.leader();
    watched.check(acknowledged);
    yield { fault: fault.name, tookMs, limitMs: fault.limitMs, lost: resolved.lost() - lostBefore };
  }
}

/** Runs `observe` again whenever it throws, as the users of a watch do. */
function observing(opened: AsyncDisposableStack, observe: (signal: AbortSignal) => Promise<void>): void {
  opened.use(
    background(async (signal) => {
      while (!signal.aborted) {
        try {
          await observe(signal);
        } catch {
          await sleep(100 * Math.random());
        }
      }
    }),
  );
}

const numberOf = (value: Uint8Array | undefined): number => Number(/\d+$/.exec(Buffer.from(value ?? []).toString()));

/** Watches from revision to revision. Only after a compaction it reads the range again. */
function watchedNumbers(opened: AsyncDisposableStack, etcd: Etcd, key: string) {
  const seen: { readonly n: number; readonly isAfterGap: boolean }[] = [];
  let next: bigint | undefined;
  observing(opened, async (signal) => {
    if (next === undefined) {
      const { entries, revision } = await etcd.range({ key }, { signal });
      seen.push({ n: numberOf(entries[0]?.value), isAfterGap: true });
      next = revision + 1n;
    }
    try {
      for await (const { changes } of etcd.watch({ key }, { from: next, signal })) {
        for (const { put } of changes) {
          if (put === undefined) continue;
          seen.push({ n: numberOf(put.value), isAfterGap: false });
          next = put.revision + 1n;
        }
      }
    } catch (error) {
      if (codeOf(error) === "out_of_range") next = undefined;
      throw error;
    }
  });
  return {
    last: () => seen.at(-1)?.n,
    /** Throws if a number is missing between two that were seen without a compaction. */
    check(acknowledged: readonly number[]): void {
      for (const [index, { n, isAfterGap }] of seen.entries()) {
        const before = seen[index - 1]?.n ?? n;
        assert.ok(n >= before, `${n} comes after ${before}`);
        const missed = isAfterGap ? [] : acknowledged.filter((one) => one > before && one < n);
        assert.deepEqual(missed, [], `between ${before} and ${n}`);
      }
    },
  };
}

function followedNumber(opened: AsyncDisposableStack, etcd: Etcd, key: string): () => number {
  let n = 0;
  observing(opened, async (signal) => {
    for await (const found of etcd.follow({ key }, { signal })) n = numberOf(found.get(key)?.value);
  });
  return () => n;
}

function configuredNumber(opened: AsyncDisposableStack, etcd: Etcd, key: string): () => number {
  let n = 0;
  opened.use(
    background(async (signal) => {
      for await (const { config } of watchConfig(schema, [etcdSource(etcd, key)], signal)) n = config?.n ?? Number.NaN;
    }),
  );
  return () => n;
}

function resolvedAddresses(opened: AsyncDisposableStack, etcd: Etcd, prefix: string) {
  let count = 0;
  let lost = 0;
  const resolver = etcdResolver(etcd, { prefix });
  observing(opened, async (signal) => {
    for await (const addresses of resolver.watch({ authority: "", name: "orders" }, signal)) {
      if (count > 0 && addresses.length === 0) lost++;
      count = addresses.length;
    }
  });
  return { count: () => count, lost: () => lost };
}
