import type { Secret } from "@plumbline/config";
import type { Resolver } from "@plumbline/rpc/discovery";
import { followClientTls } from "@plumbline/rpc/settings";
import type { Logger } from "@plumbline/telemetry";

type TlsFiles = Parameters<typeof followClientTls>[0];

/** The section `discovery` of a service's settings. */
export interface DiscoverySettings {
  readonly etcd: {
    readonly endpoints?: readonly string[] | undefined;
    readonly username?: string | undefined;
    readonly password?: Secret | undefined;
    readonly tls?: TlsFiles;
  };
  readonly consul: { readonly url?: string | undefined; readonly token?: Secret | undefined; readonly tls?: TlsFiles };
  readonly kubernetes: { readonly kubeconfig?: string | undefined };
}

/** Resolvers, and the connections behind them. */
export interface OpenResolvers extends AsyncDisposable {
  readonly resolvers: readonly Resolver[];
}

/**
 * Opens a resolver for each scheme that `targets` use, beside those that are built in. The clients
 * of other registries are not loaded. Throws if the settings of a used one are missing.
 */
export async function openResolvers(
  targets: Iterable<string>,
  settings: DiscoverySettings,
  logger: Logger,
): Promise<OpenResolvers> {
  await using opening = new AsyncDisposableStack();
  const schemes = new Set([...targets].map((target) => /^([a-z]+):\/\//.exec(target)?.[1]));
  const resolvers: Resolver[] = [];

  if (schemes.has("etcd")) {
    const { endpoints, username, password, tls } = settings.etcd;
    if (endpoints === undefined) throw missing("etcd", "discovery.etcd.endpoints");
    const { etcdResolver, openEtcd } = await import("@plumbline/etcd");
    const certificates = await certificatesOf(tls);
    const credentials = username && password && (() => ({ username, password: password.reveal() }));
    const etcd = openEtcd({ endpoints, credentials: credentials || undefined, tls: certificates?.current });
    opening.use(etcd);
    const onFault = (error: unknown): void => logger.warn("a registration is left out", { error: String(error) });
    resolvers.push(etcdResolver(etcd, { onFault }));
  }
  if (schemes.has("consul")) {
    const { url, token, tls } = settings.consul;
    if (url === undefined) throw missing("consul", "discovery.consul.url");
    const { consulResolver, openConsul } = await import("@plumbline/consul");
    const certificates = await certificatesOf(tls);
    const consul = openConsul({ url, token: token && (() => token.reveal()), tls: certificates?.current });
    opening.use(consul);
    resolvers.push(consulResolver(consul));
  }
  if (schemes.has("kubernetes")) {
    const { inCluster, Kube, kubeconfig, kubernetesResolver } = await import("@plumbline/kube");
    const { kubeconfig: path } = settings.kubernetes;
    resolvers.push(kubernetesResolver(new Kube({ access: path === undefined ? inCluster() : kubeconfig(path) })));
  }

  const opened = opening.move();
  return { resolvers, [Symbol.asyncDispose]: () => opened.disposeAsync() };

  async function certificatesOf(files: TlsFiles) {
    const certificates = await followClientTls(files, logger);
    return certificates && opening.use(certificates);
  }
}

function missing(scheme: string, setting: string): Error {
  return new Error(`a target begins with ${scheme}:// and the setting ${setting} is missing`);
}
