import { AddressWatch, parseTarget, type Resolver } from "@plumbline/rpc/discovery";
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
  readonly work: AddressWatch;
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

  function end(cluster: string, { work }: Watch): void {
    watches.delete(cluster);
    const ended: Promise<void> = work[Symbol.asyncDispose]().finally(() => ending.delete(ended));
    ending.add(ended);
  }

  function start(cluster: string, target: string): void {
    const { resolver, name } = parseTarget(target, resolvers);
    const work = new AddressWatch(resolver, name, {
      changed(addresses) {
        watch.addresses = addresses;
        logger.info("target resolved", { cluster, target, addresses: addresses.length });
        onChange();
      },
      failed: (error) =>
        logger.warn("target not resolved; the last endpoints stay", { cluster, target, error: String(error) }),
    });
    const watch: Watch = { target, work, addresses: undefined };
    watches.set(cluster, watch);
    work.start();
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
