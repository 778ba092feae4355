export {
  type Credentials,
  type Etcd,
  type EtcdOptions,
  openEtcd,
  type PutOptions,
  type Range,
  type RangeOptions,
  type Transaction,
  type WatchOptions,
  type Write,
} from "./etcd.ts";
export type { Keys } from "./keys.ts";
export { type EtcdRegistrarOptions, etcdRegistrar } from "./registrar.ts";
export { type EtcdResolverOptions, etcdResolver } from "./resolver.ts";
export { type EtcdSourceOptions, etcdSource } from "./source.ts";
export type { Change, Changes, Entry } from "./watch.ts";
