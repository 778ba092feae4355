import type { Resolver } from "@plumbline/rpc/discovery";
import type { Logger } from "@plumbline/telemetry";
import { type ConsulSettings, type EtcdSettings, openConsulClient, openEtcdClient } from "./open-stores.ts";

/** The section `discovery` of a service's settings. */
export interface DiscoverySettings {
  readonly etcd: EtcdSettings;
  readonly consul: ConsulSettings;
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
  await using opened = new AsyncDisposableStack();
  const schemes = new Set([...targets].map((target) => /^([a-z]+):\/\//.exec(target)?.[1]));
  const resolvers: Resolver[] = [];

  if (schemes.has("etcd")) {
    if (settings.etcd.endpoints === undefined) throw missing("etcd", "discovery.etcd.endpoints");
    const etcd = await openEtcdClient(settings.etcd, { opened, logger });
    const { etcdResolver } = await import("@plumbline/etcd");
    const onFault = (error: unknown): void => logger.warn("a registration is left out", { error: String(error) });
    resolvers.push(etcdResolver(etcd, { onFault }));
  }
  if (schemes.has("consul")) {
    if (settings.consul.url === undefined) throw missing("consul", "discovery.consul.url");
    const consul = await openConsulClient(settings.consul, { opened, logger });
    const { consulResolver } = await import("@plumbline/consul");
    resolvers.push(consulResolver(consul));
  }
  if (schemes.has("kubernetes")) {
    const { inCluster, Kube, kubeconfig, kubernetesResolver } = await import("@plumbline/kube");
    const { kubeconfig: path } = settings.kubernetes;
    resolvers.push(kubernetesResolver(new Kube({ access: path === undefined ? inCluster() : kubeconfig(path) })));
  }

  const owned = opened.move();
  return { resolvers, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/**
 * Opens a resolver for each registry that the settings name, for a service whose targets change
 * while it runs. Kubernetes is one of them in a pod, or with a kubeconfig.
 */
export function openConfiguredResolvers(
  settings: DiscoverySettings,
  logger: Logger,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<OpenResolvers> {
  const { etcd, consul, kubernetes } = settings;
  const isInPod = environment["KUBERNETES_SERVICE_HOST"] !== undefined;
  const targets = [
    etcd.endpoints !== undefined && "etcd:///",
    consul.url !== undefined && "consul:///",
    (kubernetes.kubeconfig !== undefined || isInPod) && "kubernetes:///",
  ];
  return openResolvers(
    targets.filter((target) => target !== false),
    settings,
    logger,
  );
}

function missing(scheme: string, setting: string): Error {
  return new Error(`a target begins with ${scheme}:// and the setting ${setting} is missing`);
}
