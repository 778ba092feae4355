import type { ResourceStatus } from "@plumbline/xds";
import type { Variant } from "./ads-metrics.ts";

/** A proxy or gRPC client with an open stream. */
export interface Client {
  /** The id that it gave itself, or "" before its first request. */
  readonly node: string;
  readonly variant: Variant;
  status(): readonly ResourceStatus[];
}

/** The clients with an open stream. */
export interface Clients extends Iterable<Client> {
  /** Adds a client until it is disposed. */
  add(client: Client): Disposable;
}

export function createClients(): Clients {
  const all = new Set<Client>();
  return {
    add(client) {
      all.add(client);
      return { [Symbol.dispose]: () => void all.delete(client) };
    },
    [Symbol.iterator]: () => all.values(),
  };
}
