import { hasContainer } from "../containers/available.ts";
import { etcdImage, startEtcdContainer } from "../containers/etcd.ts";
import type { EtcdOptions, EtcdServer } from "./server.ts";
import { hasEtcd, startEtcd } from "./start-etcd.ts";

export interface TestEtcd extends AsyncDisposable {
  readonly url: string;
  /** A description of the server and its origin, for a person. */
  readonly from: string;
}

/**
 * Returns the reason why there is no etcd and how to get one, or undefined if tests can run. Pass
 * it to `skip` of a test.
 */
export function whyNoEtcd(): string | undefined {
  return process.env["TEST_ETCD_URL"] === undefined ? whyNoEtcdServer() : undefined;
}

/**
 * Returns the reason why tests cannot start a server of their own, which they kill. A server that
 * TEST_ETCD_URL names is not enough for these.
 */
export function whyNoEtcdServer(): string | undefined {
  if (hasContainer(etcdImage) || hasEtcd()) return undefined;
  return `needs etcd: no Docker engine has the image ${etcdImage} (TEST_ENGINES=docker allows pulling it) and etcd is not installed; or set TEST_ETCD_URL=http://host:port to use one that runs`;
}

/**
 * Returns an etcd for tests: that of TEST_ETCD_URL, which concurrent tests share, or one for this
 * caller.
 */
export async function testEtcd(): Promise<TestEtcd> {
  const named = process.env["TEST_ETCD_URL"];
  if (named === undefined) return await startTemporaryEtcd();
  return { url: named, from: "TEST_ETCD_URL names it", [Symbol.asyncDispose]: async () => {} };
}

/**
 * Starts one in a container if a Docker engine answers, or else the etcd of this machine. It
 * belongs to the caller alone.
 */
export async function startTemporaryEtcd(options: EtcdOptions = {}): Promise<EtcdServer & TestEtcd> {
  if (!hasContainer(etcdImage)) return from(await startEtcd(options), "etcd of this machine");
  try {
    return from(await startEtcdContainer(options), `container ${etcdImage}`);
  } catch (error) {
    if (!hasEtcd()) throw error;
    const why = error instanceof Error ? error.message : String(error);
    return from(await startEtcd(options), `etcd of this machine (the container ${etcdImage} did not start: ${why})`);
  }
}

function from(server: EtcdServer, origin: string): EtcdServer & TestEtcd {
  return Object.assign(server, { from: origin });
}
