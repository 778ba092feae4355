import { background, fullJitter, sleep } from "@plumbline/concurrency";
import type { Resolver } from "@plumbline/rpc/discovery";
import type { Telemetry } from "@plumbline/telemetry";
import type { Routes } from "./document.ts";
import type { Endpoint } from "./resources/address.ts";
import type { Resolved } from "./resources/build.ts";

/** The endpoints of the clusters that have a target. */
export interface Endpoints extends AsyncDisposable {
  /** Watches the targets of the document, and no others. */
  follow(document: Routes): void;
  /** The endpoints, or undefined until every target was answered once. */
  readonly resolved: Resolved | undefined;
}

interface Watch {
  readonly target: string;
  readonly work: AsyncDisposable;
  addresses: readonly Endpoint[] | undefined;
}

/** Watches targets by their resolvers. `onChange` is called after each answer. */
export function openEndpoints(
  resolvers: readonly Resolver[],
  { logger }: Pick<Telemetry, "logger">,
  onChange: () => void,
): Endpoints {
  const watches = new Map<string, Watch>();
  const ending = new Set<Promise<void>>();

  function end(cluster: string, watch: Watch): void {
    watches.delete(cluster);
    const ended = Promise.resolve(watch.work[Symbol.asyncDispose]()).finally(() => ending.delete(ended));
    ending.add(ended);
  }

  function start(cluster: string, target: string): void {
    const { protocol, host, pathname } = new URL(target);
    const scheme = protocol.slice(0, -1);
    const resolver = resolvers.find((one) => one.scheme === scheme);
    async function run(signal: AbortSignal): Promise<void> {
      const name = decodeURIComponent(pathname.slice(1));
      for (let failures = 0; !signal.aborted; failures += 1) {
        try {
          if (resolver === undefined) throw new Error(`no resolver has the scheme "${scheme}"`);
          for await (const addresses of resolver.watch({ authority: host, name }, signal)) {
            failures = 0;
            watch.addresses = addresses;
            onChange();
          }
        } catch (error) {
          if (signal.aborted) return;
          logger.warn("target not resolved; the last endpoints stay", { cluster, target, error: String(error) });
        }
        await sleep(fullJitter(failures + 1, { baseMs: 500, maxMs: 30_000 }), { signal });
      }
    }
    const watch: Watch = { target, addresses: undefined, work: background(run) };
    watches.set(cluster, watch);
  }

  return {
    follow({ clusters }) {
      for (const [cluster, watch] of watches) if (clusters[cluster]?.target !== watch.target) end(cluster, watch);
      for (const [cluster, { target }] of Object.entries(clusters)) {
        if (target !== undefined && !watches.has(cluster)) start(cluster, target);
      }
    },
    get resolved() {
      const known = new Map<string, readonly Endpoint[]>();
      for (const [cluster, { addresses }] of watches) {
        if (addresses === undefined) return undefined;
        known.set(cluster, addresses);
      }
      return known;
    },
    async [Symbol.asyncDispose]() {
      for (const [cluster, watch] of watches) end(cluster, watch);
      await Promise.all(ending);
    },
  };
}
