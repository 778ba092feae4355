import type { Secret } from "@plumbline/config";
import type { Consul } from "@plumbline/consul";
import type { Etcd } from "@plumbline/etcd";
import { followClientTls } from "@plumbline/rpc/settings";
import type { Logger } from "@plumbline/telemetry";

type TlsFiles = Parameters<typeof followClientTls>[0];

/** The settings of a connection to etcd. */
export interface EtcdSettings {
  readonly endpoints?: readonly string[] | undefined;
  readonly username?: string | undefined;
  readonly password?: Secret | undefined;
  readonly tls?: TlsFiles;
}

/** The settings of a connection to a Consul agent. */
export interface ConsulSettings {
  readonly url?: string | undefined;
  readonly token?: Secret | undefined;
  readonly tls?: TlsFiles;
}

interface Parts {
  /** Takes what must be closed. */
  readonly opened: AsyncDisposableStack;
  /** Receives certificates that cannot be used. */
  readonly logger: Logger;
}

/** Opens a client of etcd. Services that do not use it do not load it. */
export async function openEtcdClient({ endpoints = [], ...settings }: EtcdSettings, parts: Parts): Promise<Etcd> {
  const { openEtcd } = await import("@plumbline/etcd");
  const { username, password } = settings;
  const credentials = username && password ? { username, password: password.reveal() } : undefined;
  return parts.opened.use(openEtcd({ endpoints, credentials, tls: await certificatesOf(settings.tls, parts) }));
}

/** Opens a client of a Consul agent. Services that do not use it do not load it. */
export async function openConsulClient({ url = "", token, tls }: ConsulSettings, parts: Parts): Promise<Consul> {
  const { openConsul } = await import("@plumbline/consul");
  const reveal = token && (() => token.reveal());
  return parts.opened.use(openConsul({ url, token: reveal, tls: await certificatesOf(tls, parts) }));
}

async function certificatesOf(files: TlsFiles, { opened, logger }: Parts) {
  const certificates = await followClientTls(files, logger);
  return certificates && opened.use(certificates).current;
}
