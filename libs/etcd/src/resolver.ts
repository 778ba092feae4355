import { ServiceError } from "@plumbline/errors";
import type { Address, Resolver, ResolverTarget } from "@plumbline/rpc/discovery";
import type { Etcd } from "./etcd.ts";
import { addressOf, instancesOf, usualPrefix } from "./registration-key.ts";

export interface EtcdResolverOptions {
  /** The start of all keys; "plumbline/services/" if not given. */
  readonly prefix?: string | undefined;
  /** Receives each key whose value is no address. The key is left out. */
  readonly onFault?: ((error: unknown) => void) | undefined;
}

/** Returns a resolver of "etcd:///orders": the instances that `etcdRegistrar` has registered. */
export function etcdResolver(etcd: Etcd, { prefix = usualPrefix, onFault }: EtcdResolverOptions = {}): Resolver {
  const resolver = {
    scheme: "etcd",
    example: "etcd:///service",
    check({ authority, name }: ResolverTarget): void {
      if (authority === "" && /^[^\s/?#:,]+$/.test(name)) return;
      throw new ServiceError("invalid_argument", 'expected "etcd:///service", without a port: etcd knows it');
    },
    async *watch({ name }: ResolverTarget, signal: AbortSignal): AsyncIterable<readonly Address[]> {
      for await (const found of etcd.follow({ prefix: instancesOf(prefix, name) }, { signal })) {
        const addresses: Address[] = [];
        for (const { key, value } of found.values()) {
          const address = addressOf(value);
          if (address !== undefined) addresses.push(address);
          else onFault?.(new ServiceError("data_loss", `etcd key ${key}: expected {"host": text, "port": number}`));
        }
        yield addresses;
      }
    },
  };
  return resolver;
}
