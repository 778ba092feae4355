/** A started program. */
export interface RunningEnvoy extends AsyncDisposable {
  /** Returns what it has written so far. */
  log(): Promise<string>;
}

/** The start of an Envoy: its admin port, and the control plane that everything else comes from. */
export interface EnvoyOptions {
  /** The port of the control plane on 127.0.0.1. */
  readonly controlPlanePort: number;
  /** The variant of the protocol: the state of the world, or differences. */
  readonly variant: "sotw" | "delta";
  /** The id of the node; "test" if not given. */
  readonly id?: string | undefined;
  /** A folder that it reads, such as that of its certificates: at the same path in a container. */
  readonly folder?: string | undefined;
}

/** Returns the configuration that Envoy starts with, as JSON. */
export function envoyBootstrap(adminPort: number, { controlPlanePort, variant, id = "test" }: EnvoyOptions): string {
  const address = (port: number) => ({ socket_address: { address: "127.0.0.1", port_value: port } });
  const overAds = { ads: {}, resource_api_version: "V3", initial_fetch_timeout: "0s" };
  return JSON.stringify({
    node: { id, cluster: "test" },
    admin: { address: address(adminPort) },
    dynamic_resources: {
      cds_config: overAds,
      lds_config: overAds,
      ads_config: {
        api_type: variant === "delta" ? "DELTA_GRPC" : "GRPC",
        transport_api_version: "V3",
        grpc_services: [
          {
            envoy_grpc: {
              cluster_name: "control-plane",
              retry_policy: { retry_back_off: { base_interval: "0.1s", max_interval: "1s" } },
            },
          },
        ],
      },
    },
    static_resources: {
      clusters: [
        {
          name: "control-plane",
          type: "STATIC",
          connect_timeout: "1s",
          load_assignment: {
            cluster_name: "control-plane",
            endpoints: [{ lb_endpoints: [{ endpoint: { address: address(controlPlanePort) } }] }],
          },
          typed_extension_protocol_options: {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
              "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
              explicit_http_config: {
                http2_protocol_options: { connection_keepalive: { interval: "30s", timeout: "5s" } },
              },
            },
          },
        },
      ],
    },
  });
}

/** Returns the arguments of the program. Several of them run on one machine. */
export function envoyArguments(config: string): readonly string[] {
  return ["--config-yaml", config, "--concurrency", "2", "--disable-hot-restart", "--log-level", "info"];
}
