/** Values that reach every branch of the templates. */
export const examples: Readonly<Record<string, object>> = {
  least: {},
  "fixed numbers": { autoscaling: { metrics: "none" }, pods: { replicas: 3 } },
  "prometheus-adapter": { autoscaling: { metrics: "adapter" } },
  keda: { autoscaling: { metrics: "keda" } },
  "from outside": {
    ingress: { enabled: true, className: "traefik", hosts: ["shop.example"], tls: { secretName: "shop-tls" } },
    httpRoute: { enabled: true, hosts: ["shop.example"], parentRefs: [{ name: "public", namespace: "gateways" }] },
    metrics: { podMonitor: { enabled: true, labels: { release: "monitoring" } } },
    services: { gateway: { settings: { http: { trustProxy: 1 } } } },
  },
  envoy: {
    discovery: "kubernetes",
    envoy: { enabled: true },
    services: { "control-plane": { enabled: true }, gateway: { settings: { http: { trustProxy: 2 } } } },
    ingress: { enabled: true },
    networkPolicy: { ingress: { from: [{ namespaceSelector: {} }] } },
  },
  "certificates of the services": {
    mtls: { enabled: true, identity: "spiffe://example.org/ns/shop/sa/%s" },
    services: { "control-plane": { enabled: true } },
  },
  everything: {
    image: { prefix: "registry.example/team/", tag: "1.2.3", pullSecrets: ["registry"] },
    settings: {
      rpc: { transport: "http2", principalPeers: "10.244.0.0/16" },
      telemetry: { otlpEndpoint: "http://collector.tracing:4318" },
    },
    pods: {
      labels: { team: "shop" },
      annotations: { note: "x" },
      nodeSelector: { "kubernetes.io/os": "linux" },
      tolerations: [{ key: "spot", operator: "Exists" }],
      affinity: { nodeAffinity: {} },
      priorityClassName: "high",
      extraEnv: [{ name: "NODE_OPTIONS", value: "--enable-source-maps" }],
      extraVolumes: [{ name: "tls", secret: { secretName: "tls" } }],
      extraVolumeMounts: [{ name: "tls", mountPath: "/tls", readOnly: true }],
    },
    services: {
      gateway: {
        settings: {
          transport: "http2",
          rateLimit: { store: "redis", perClient: { perSecond: 1_000_000, burst: 1_000_000 } },
          upstreamTls: { caFile: "/tls/ca.crt" },
          auth: { issuer: "https://id.example.com", audience: "shop" },
        },
        secrets: { "rateLimit.redisUrl": { name: "redis", key: "url" } },
        files: {
          "auth.caFile": { name: "issuer-authority", key: "ca.crt" },
          "auth.apiKeysFile": { name: "api-keys", key: "api-keys.json" },
        },
        image: { digest: `sha256:${"0".repeat(64)}` },
      },
      orders: {
        settings: {
          kafka: { brokers: ["kafka-0:9092", "kafka-1:9092"] },
          retries: { delaysMs: [5_000, 3_600_000] },
          idempotency: { retentionMs: 86_400_000 },
          watch: { maxAgeMs: 600_000 },
        },
        migration: { secrets: { "database.url": { name: "orders-owner", key: "url" } } },
        files: {
          "rpc.tls.certificateFile": { name: "orders-tls", key: "tls.crt" },
          "rpc.tls.keyFile": { name: "orders-tls", key: "tls.key" },
        },
        spread: false,
      },
      worker: { settings: { suppliers: { url: "https://suppliers.example" } } },
    },
  },
};
