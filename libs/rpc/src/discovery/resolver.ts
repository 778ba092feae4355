import type { Event } from "@plumbline/concurrency";
import type { Address } from "./address.ts";

/** A name to resolve: what follows the scheme of a target such as "consul:///orders". */
export interface ResolverTarget {
  /** The part between the slashes, such as a name server; empty if there is none. */
  readonly authority: string;
  /** The name, such as "orders" or "orders:50052". */
  readonly name: string;
}

/** A source of the addresses behind a name, which tells when they change. */
export interface Resolver {
  /** The scheme of the targets that it resolves, such as "consul". */
  readonly scheme: string;
  /** An example of its targets, for errors; "scheme:///name" if not given. */
  readonly example?: string | undefined;
  /** Throws `invalid_argument` for a target that it can never resolve, before the first watch. */
  check?(target: ResolverTarget): void;
  /**
   * Yields all current addresses, and again after each change, until `signal` aborts. The order
   * has no meaning. An empty list says that there are no servers. A failure throws: the caller
   * keeps the last addresses and calls `watch` again later. Every watch ends its connections and
   * timers when it ends.
   *
   * `lost` is set when a connection to one of the addresses was lost or failed. A resolver that is
   * not notified of changes asks again then.
   */
  watch(target: ResolverTarget, signal: AbortSignal, lost?: Event): AsyncIterable<readonly Address[]>;
}
