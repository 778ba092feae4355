/** The one description of a BackendService: the CRD and the types of the operator come from it. */
import { z } from "zod";

export const group = "plumbline.dev";
export const version = "v1alpha1";
export const apiVersion = `${group}/${version}`;
export const kind = "BackendService";
export const plural = "backendservices";

interface Rule {
  readonly rule: string;
  readonly message: string;
}

/** Returns metadata with rules that the API server checks. */
function rules(...all: readonly Rule[]) {
  return { "x-kubernetes-validations": all };
}

const dnsLabel = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const port = () => z.int().min(1).max(65_535);

const Secret = z
  .object({
    name: z.string().max(40).regex(dnsLabel).describe("the folder of its files: /run/plumbline/secrets/NAME"),
    secretRef: z.string().min(1).max(253).describe("the name of a Secret in the same namespace"),
    follow: z
      .enum(["files", "restart", "agent"])
      .default("files")
      .describe(
        "files: the program follows its files, which change within about a minute; agent: a sidecar writes them, within seconds; restart: new pods replace the old ones",
      ),
    settings: z
      .record(z.string().max(100), z.string().min(1).max(253))
      .meta({ maxProperties: 50 })
      .optional()
      .describe("settings that are read from a file of the Secret, as setting: key"),
    only: z
      .enum(["init"])
      .optional()
      .describe("init: the programs of init alone get it, and its settings take the place of other Secrets'"),
  })
  .meta(
    rules({
      rule: "!has(self.only) || self.follow == 'files'",
      message: "a Secret of init alone is read once: remove follow",
    }),
  );

const Tracing = z.object({
  collector: z
    .string()
    .max(500)
    // A dollar sign would begin a variable in the sidecar's configuration.
    .regex(/^https?:\/\/[^\s$]+$/)
    .describe("the address for OTLP over HTTP that a sidecar passes spans on to: http://collector:4318"),
  sampleRatio: z.number().min(0).max(1).default(1).describe("the share of new traces that is exported"),
});

const Network = z.object({
  from: z
    .array(z.string().max(63).regex(dnsLabel))
    .max(20)
    .optional()
    .describe("the programs in this namespace that call it, by app.kubernetes.io/name; everything may if not set"),
  to: z
    .array(
      z
        .object({
          program: z
            .string()
            .max(63)
            .regex(dnsLabel)
            .optional()
            .describe("pods in this namespace, by app.kubernetes.io/name"),
          cidr: z
            .string()
            .max(49)
            .regex(/^[0-9a-fA-F.:]+\/[0-9]{1,3}$/)
            .optional()
            .describe("10.0.0.0/8; everything if neither is set"),
          port: port(),
        })
        .meta(rules({ rule: "!has(self.program) || !has(self.cidr)", message: "give one of program and cidr" })),
    )
    .max(50)
    .optional()
    .describe("the peers that it calls, beside DNS and what its sidecars need"),
});

const Spec = z
  .object({
    image: z.string().min(1).max(512).describe("plumbline/greeter:1.4.0"),
    program: z
      .string()
      .max(40)
      .regex(dnsLabel)
      .optional()
      .describe("the program in the image, whose variables begin with its name; the name of the resource if not set"),
    ports: z
      .object({
        grpc: port().optional().describe("makes a Service without an address of its own"),
        http: port().optional().describe("makes a Service on port 80"),
        ops: port().default(9464).describe("health and metrics"),
      })
      .meta(
        rules(
          { rule: "has(self.grpc) != has(self.http)", message: "give one of grpc and http" },
          {
            rule: "has(self.grpc) == has(oldSelf.grpc)",
            message: "a Service cannot change between grpc and http: create another BackendService",
          },
          {
            rule: "(!has(self.grpc) || self.grpc != self.ops) && (!has(self.http) || self.http != self.ops)",
            message: "ops needs a port of its own",
          },
        ),
      ),
    replicas: z
      .object({
        min: z.int().min(1).max(1_000).default(2),
        max: z.int().min(1).max(1_000).default(6),
        target: z
          .object({
            metric: z
              .string()
              .min(1)
              .max(100)
              .default("cpu")
              .describe("cpu, or a metric of the pods that the cluster's adapter serves"),
            average: z
              .int()
              .min(1)
              .max(1_000_000)
              .default(70)
              .describe("cpu: percent of the request; a metric: its average over the pods"),
          })
          .default({ metric: "cpu", average: 70 }),
      })
      .default({ min: 2, max: 6, target: { metric: "cpu", average: 70 } })
      .meta(rules({ rule: "self.min <= self.max", message: "min must not be more than max" })),
    settings: z
      .record(z.string().max(100), z.string().max(4_096))
      .meta({ maxProperties: 100 })
      .optional()
      .describe("by the keys of docs/settings.md, as texts; each becomes a variable"),
    resources: z
      .object({
        cpu: z.string().min(1).max(20).default("100m").describe("the request; there is no limit"),
        memory: z.string().min(1).max(20).default("192Mi").describe("the request and the limit"),
      })
      .default({ cpu: "100m", memory: "192Mi" })
      .meta(
        rules({
          rule: "isQuantity(self.cpu) && isQuantity(self.memory)",
          message: "expected quantities: 100m and 192Mi",
        }),
      ),
    tracing: Tracing.optional().describe(
      "puts a collector beside the program in each pod, which sends its spans there",
    ),
    network: Network.optional().describe("refuses connections that it does not allow, by a NetworkPolicy"),
    init: z
      .array(z.string().min(1).max(100))
      .max(10)
      .optional()
      .describe("arguments of the image, each run to its end before the service starts: migrate"),
    secrets: z
      .array(Secret)
      .max(10)
      .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"] })
      .optional(),
  })
  .meta(
    rules(
      {
        rule: "has(self.program) == has(oldSelf.program) && (!has(self.program) || self.program == oldSelf.program)",
        message: "the pods are found by program: create another BackendService",
      },
      {
        rule: "!has(self.secrets) || !self.secrets.exists(secret, has(secret.only)) || (has(self.init) && self.init.size() > 0)",
        message: "a Secret of init alone needs programs in init",
      },
      {
        rule: "!has(self.tracing) || [4318, 13133].all(port, port != self.ports.ops && (!has(self.ports.grpc) || port != self.ports.grpc) && (!has(self.ports.http) || port != self.ports.http))",
        message: "with tracing the ports 4318 and 13133 belong to the sidecar",
      },
      {
        rule: "!has(self.secrets) || !self.secrets.exists(secret, secret.follow == 'agent') || (self.ports.ops != 9480 && (!has(self.ports.grpc) || self.ports.grpc != 9480) && (!has(self.ports.http) || self.ports.http != 9480))",
        message: "with a Secret that follows by agent the port 9480 belongs to the sidecar",
      },
      {
        rule: "!has(self.tracing) || !has(self.settings) || !('telemetry.otlpEndpoint' in self.settings || 'telemetry.sampleRatio' in self.settings)",
        message: "tracing sets telemetry.otlpEndpoint and telemetry.sampleRatio: remove them from settings",
      },
    ),
  );

const Condition = z.object({
  type: z.string().max(100),
  status: z.enum(["True", "False", "Unknown"]),
  reason: z.string().max(100),
  message: z.string().max(2_000),
  lastTransitionTime: z.string().max(40),
  observedGeneration: z.int().min(0),
});

const Status = z.object({
  observedGeneration: z
    .int()
    .min(0)
    .optional()
    .describe("the generation of the resource that the conditions are about"),
  replicas: z.int().min(0).optional(),
  selector: z.string().max(500).optional(),
  secrets: z
    .array(
      z.object({
        name: z.string().max(40),
        resourceVersion: z.string().max(100),
        deliveredTo: z.int().min(0).optional().describe("follow agent: the pods that have this version"),
        behind: z
          .array(
            z.object({
              pod: z.string().max(253),
              resourceVersion: z.string().max(100).optional().describe("absent if the pod has none yet"),
            }),
          )
          .max(20)
          .optional()
          .describe("follow agent: the pods that have another version, the first 20 of them"),
      }),
    )
    .max(10)
    .optional()
    .describe("the versions of the Secrets that the operator has seen"),
  conditions: z
    .array(Condition)
    .max(10)
    .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"] })
    .optional(),
});

/** The shape of the resource. The API server has checked an object of it, and set the defaults. */
export const BackendService = z.object({
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string(),
    uid: z.string(),
    generation: z.int(),
    deletionTimestamp: z.string().optional(),
  }),
  spec: Spec,
  status: Status.optional(),
});

export type BackendService = z.output<typeof BackendService>;
export type BackendServiceStatus = z.output<typeof Status>;
export type Condition = z.output<typeof Condition>;

/** The parts that the CRD is made of. */
export const schemas = {
  spec: Spec,
  status: Status,
  rules: rules({
    rule: "self.metadata.name.size() <= 40 && !self.metadata.name.contains('.')",
    message: "expected a name of at most 40 characters, without dots",
  })["x-kubernetes-validations"],
};
