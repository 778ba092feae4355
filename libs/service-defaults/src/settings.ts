import { count, durationMs, live, port, type Secret, secret } from "@plumbline/config";
import { defaultKafkaClient, kafkaClients, saslMechanisms } from "@plumbline/messaging/settings";
import { clientTlsSettings, serverSettings } from "@plumbline/rpc/settings";
import { logLevels } from "@plumbline/telemetry";
import { z } from "zod";
import { storeSettings } from "./config-settings.ts";
import { withdrawalMs } from "./split-grace-period.ts";

const hourMs = 3_600_000;

/** Sections of a service's schema, beside `serverSettings` of libs/rpc. */
export const settings = {
  /** The section `ops`: the port for probes and scrapers. */
  ops: (preset: { readonly port: number }) =>
    z.object({ host: z.string().default("0.0.0.0"), port: port(preset.port) }),

  /** The section `discovery`: the registries that upstreams are found in. */
  discovery: () =>
    z.object({
      ...storeSettings(),
      kubernetes: z.object({
        kubeconfig: z
          .string()
          .min(1)
          .optional()
          .describe("for targets kubernetes:///service.namespace:port; the pod's service account if not set"),
      }),
    }),

  /** The section `registration`: the registry in which clients find the service. */
  registration: () =>
    z
      .object({
        registry: z
          .enum(["none", "etcd", "consul"])
          .default("none")
          .describe("the registry that the service announces itself in; none on Kubernetes, which does it by itself"),
        service: z
          .string()
          .min(1)
          .max(63)
          .optional()
          .describe("the name that clients look for; the service's own if not set"),
        host: z
          .string()
          .min(1)
          .optional()
          .describe(
            "the name or address that clients connect to; rpc.host, or the machine's name if that is a wildcard",
          ),
        port: z
          .int()
          .min(1)
          .max(65_535)
          .optional()
          .describe("the port that clients connect to; that of the server if not set"),
        leaseSeconds: z
          .int()
          .min(2)
          .max(300)
          .default(10)
          .describe("registry etcd: a service that is killed is removed after this time"),
        check: z
          .enum(["grpc", "readyz"])
          .default("grpc")
          .describe(
            "registry consul: what the agent asks every two seconds, gRPC health or /readyz of the ops port at the same host",
          ),
        ...storeSettings(),
      })
      .superRefine(({ registry, etcd, consul }, context) => {
        const refuse = (path: string[], message: string): void => context.addIssue({ code: "custom", path, message });
        if (registry === "etcd" && etcd.endpoints === undefined)
          refuse(["etcd", "endpoints"], "required by the registry etcd");
        if (registry === "consul" && consul.url === undefined)
          refuse(["consul", "url"], "required by the registry consul");
      }),

  /** The section `telemetry`: what is logged and where it is exported to. */
  telemetry: () =>
    z.object({
      logLevel: z.enum(logLevels).default("info"),
      otlpEndpoint: z
        .url()
        .optional()
        .describe("the collector, http://collector:4318; nothing is exported without one"),
      otlpLogs: z.boolean().default(false).describe("exports log lines too"),
      sampleRatio: z.number().min(0).max(1).default(1).describe("the share of new traces that is exported"),
    }),

  /** The settings `drainMs` and `graceMs`: spread them into the schema. */
  shutdown: () => ({
    drainMs: durationMs(0).describe("the service still serves while load balancers see that it is not ready"),
    graceMs: durationMs(10_000).describe("from the stop signal to the exit, the drain included"),
  }),

  /** The section `database`. */
  database: () =>
    z
      .object({
        url: live(databaseUrl()).describe("postgresql://role:password@host:port/name"),
        password: live(secret()).optional().describe(passwordPurpose),
        poolSize: count(10, 1_000).describe("connections at a time"),
      })
      .superRefine(requireHost),

  /** The sections `messaging` and `kafka`: spread them into the schema. */
  broker: ({ memory = false }: { readonly memory?: boolean } = {}) => ({
    messaging: z
      .object({
        adapter: z
          .enum<readonly ("postgres" | "kafka" | "memory")[]>([
            "postgres",
            "kafka",
            ...(memory ? (["memory"] as const) : []),
          ])
          .default("postgres")
          .describe(`carries events between services${memory ? "; memory: within this process only" : ""}`),
        url: live(databaseUrl()).optional().describe("the database of the postgres adapter"),
        password: live(secret()).optional().describe(passwordPurpose),
        role: z
          .string()
          .min(1)
          .max(200)
          .optional()
          .describe(
            "the role or user of the running service; migrate, as an administrator, gives it the service's topics",
          ),
      })
      .superRefine(requireHost),
    kafka: z.object({
      client: z
        .enum(kafkaClients)
        .default(defaultKafkaClient)
        .describe("the client library; both keep the same promises"),
      brokers: z
        .array(z.string().min(1))
        .min(1)
        .default(["127.0.0.1:19092"])
        .describe("one is enough to find the others"),
      ssl: z.boolean().default(false).describe("TLS with the authorities that come with Node; tls names others"),
      tls: clientTlsSettings(),
      sasl: z
        .object({
          mechanism: z.enum(saslMechanisms).default("scram-sha-512"),
          username: live(z.string().min(1)).describe("asked for again at each connection"),
          password: live(secret()).describe("asked for again at each connection"),
        })
        .optional(),
      sessionMs: durationMs(30_000).describe(
        "a member without a heartbeat for this long leaves its group; the broker sets the minimum",
      ),
      giveUpMs: durationMs(600_000).describe(
        "without lasting contact for this long the process exits, to be restarted",
      ),
    }),
  }),

  /** The section `retries`: what happens to an event whose handler fails. */
  retries: () =>
    z.object({
      attempts: count(5, 100).describe("in place, before an event is moved to a retry topic"),
      delaysMs: z
        .array(z.int().min(1))
        .max(10)
        .default([5_000, 60_000, 600_000])
        .describe("one retry topic for each delay; run migrate after a change"),
    }),

  /** The section `relay`: how the outbox is published. */
  relay: () =>
    z.object({
      batchSize: count(200, 10_000).describe("messages of the outbox in one send"),
      pollMs: durationMs(1_000).describe("pause between reads of the outbox without a notification"),
      standbyMs: durationMs(500).describe("pause between attempts of another replica to take over"),
    }),

  /** The section `inbox`: how long handled messages are remembered. */
  inbox: () =>
    z.object({
      retentionMs: z
        .int()
        .min(hourMs)
        .optional()
        .describe("handled messages are remembered; by default a day longer than the broker keeps them"),
    }),
};

/** Checks the form of a URL here, since an error of the driver may print it with its password. */
function databaseUrl() {
  return secret().refine(
    (value) => /^postgres(ql)?:$/.test(URL.parse(value.reveal())?.protocol ?? ""),
    "postgresql://role:password@host:port/name",
  );
}

const passwordPurpose = "takes the place of the password in url, so that it can be a secret of its own";

/** Refuses a password beside a URL that has no place for one, such as that of a Unix socket. */
function requireHost(
  { url, password }: { readonly url?: Secret | undefined; readonly password?: Secret | undefined },
  context: z.RefinementCtx,
): void {
  if (password === undefined || url === undefined || URL.parse(url.reveal())?.host !== "") return;
  context.addIssue({ code: "custom", path: ["password"], message: "a host in url, or the password within url" });
}

export interface ServiceConfigOptions {
  /** The least time between the drain and the end of the grace period. Default 2 s. */
  readonly leastGraceMs?: number;
}

/** Creates the schema of a service's settings from its sections, with the rules between them. */
export function serviceConfig<Shape extends z.ZodRawShape>(
  shape: Shape,
  { leastGraceMs = 2_000 }: ServiceConfigOptions = {},
): z.ZodObject<Shape> {
  return z.object(shape).superRefine((config, context) => {
    const { drainMs, graceMs, messaging, registration, rpc } = config as Partial<z.output<typeof Common>>;
    const refuse = (path: string[], message: string): void => context.addIssue({ code: "custom", path, message });
    if (messaging?.adapter === "postgres" && messaging.url === undefined) {
      refuse(["messaging", "url"], "required by the adapter postgres");
    }
    if (messaging?.adapter === "memory" && messaging.role !== undefined) {
      refuse(["messaging", "role"], "nothing, because the adapter memory knows no roles");
    }
    const removalMs = registration === undefined ? 0 : withdrawalMs(registration);
    if (drainMs !== undefined && graceMs !== undefined && removalMs + drainMs + leastGraceMs > graceMs) {
      const and = removalMs > 0 ? `, and the ${removalMs} of a deregistration` : "";
      refuse(["graceMs"], `at least ${leastGraceMs} more than drainMs${and}`);
    }
    if (registration?.registry === "consul" && registration.check === "grpc" && rpc?.tls?.clientCaFile !== undefined) {
      refuse(["registration", "check"], "expected readyz, because Consul has no client certificate for rpc.tls");
    }
  });
}

const Common = z.object({
  ...settings.shutdown(),
  ...settings.broker(),
  registration: settings.registration(),
  rpc: serverSettings({ port: 1, maxConnectionAgeGraceMs: 0 }),
});
