/** A set of generated code: a folder, and the protos that it is generated from. */
export interface ProtoSet {
  /** The set's name on the command line of generate.ts. */
  readonly name: string;
  /** The folder of the code, which the generator replaces as a whole. */
  readonly folder: string;
  /**
   * The proto files, as patterns from the root of the repository. Code for their imports is
   * generated too.
   */
  readonly protos: readonly string[];
  /**
   * Adds `descriptors.ts`, the FileDescriptorSet of the protos. Comments are kept in our own only.
   */
  readonly descriptors?: true;
}

const envoy = "protos/third_party/envoy/envoy";
const otlp = "protos/third_party/opentelemetry/opentelemetry/proto/collector";

/**
 * All generated TypeScript, a row for each set. A protocol's code belongs to the project that
 * speaks the protocol.
 */
export const protoSets: readonly ProtoSet[] = [
  {
    name: "contracts",
    folder: "libs/contracts/src/gen",
    protos: ["protos/!(third_party)/**/*.proto"],
    descriptors: true,
  },
  {
    name: "rpc",
    folder: "libs/rpc/src/gen",
    protos: [
      "protos/third_party/grpc/grpc/{health,reflection}/**/*.proto",
      "node_modules/google-proto-files/google/rpc/{status,error_details}.proto",
    ],
    descriptors: true,
  },
  { name: "etcd", folder: "libs/etcd/src/gen", protos: ["protos/third_party/etcd/etcd/api/etcdserverpb/rpc.proto"] },
  { name: "interop", folder: "libs/rpc/test/gen", protos: ["protos/third_party/grpc/grpc/testing/*.proto"] },
  {
    name: "connect-conformance",
    folder: "libs/rpc/test/connect-conformance/gen",
    protos: ["protos/third_party/connectrpc/connectrpc/conformance/v1/{client,server}_compat.proto"],
  },
  { name: "telemetry", folder: "libs/telemetry/test/gen", protos: [`${otlp}/trace/v1/*.proto`] },
  {
    name: "control-plane",
    folder: "apps/control-plane/src/gen",
    protos: [
      `${envoy}/service/{discovery/v3/ads,status/v3/csds}.proto`,
      `${envoy}/config/{cluster/v3/cluster,endpoint/v3/endpoint,listener/v3/listener,route/v3/route}.proto`,
      `${envoy}/extensions/**/*.proto`,
    ],
    descriptors: true,
  },
  { name: "otlp", folder: "tests/e2e/src/gen", protos: [`${otlp}/**/*.proto`] },
];
