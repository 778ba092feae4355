import type { Claim } from "./claim.ts";

/** Everything that this repository claims, in the order of the page. */
export const claims: readonly Claim[] = [
  {
    claim: "The whole system starts without Docker, Java or a build",
    command: "npm start",
    prints: "Ready after",
    cost: "fast",
    stack: true,
  },
  {
    claim: "200 of 200 orders are accounted for over REST, gRPC, Postgres and events: none lost, none doubled",
    command: "npm run demo",
    prints: "200 of 200 accounted for, 0 lost, 0 doubled, 0 wrong",
    cost: "fast",
    stack: true,
  },
  {
    claim: "Imports point one way, between projects and inside a service",
    command: "npm run boundaries",
    prints: "every import points the right way",
    cost: "fast",
  },
  {
    claim: "Every setting is in [settings.md](settings.md), generated from the schemas; compose sets only known ones",
    command: "npm run settings -- --check",
    cost: "fast",
  },
  {
    claim: "A breaking change of a contract is refused",
    command: "npx nx breaking @plumbline/contracts",
    cost: "fast",
  },
  {
    claim: "Orders, worker or the gateway killed in the middle of an order: nothing is lost or doubled",
    command: "npx nx test @plumbline/e2e -- test/kills.test.ts",
    cost: "tests",
  },
  {
    claim: "In containers, from nothing: the same journeys, and exit code 0 for every container",
    command: "npx nx test @plumbline/e2e -- test/compose.test.ts",
    cost: "tests",
    needs: "docker",
  },
  {
    claim: "Every broker adapter keeps the same promises; Kafka stopped or cut off for 30 s loses nothing",
    command: "npm test -w libs/messaging",
    cost: "tests",
  },
  {
    claim: "A client that hangs up cancels the SQL statement that it caused",
    command: "npx nx test @plumbline/orders",
    cost: "tests",
  },
  {
    claim: "SIGTERM under load: every accepted request is answered, and the exit code is 0",
    command: "npx nx test @plumbline/gateway -- test/process.test.ts",
    cost: "tests",
  },
  {
    claim: "Gateways share one rate limit through Redis, and each keeps its own while Redis is unreachable",
    command: "npx nx test @plumbline/gateway -- test/rate-limit.test.ts test/limiters.test.ts",
    cost: "tests",
  },
  {
    claim:
      "A rate limit that is [put into etcd](configuration.md#a-rate-limit-in-etcd) holds in three gateways within 2 s, without a restart",
    command: "npx nx test @plumbline/gateway -- test/etcd.test.ts",
    cost: "tests",
  },
  {
    claim: "Under `npm start -- --etcd` a flag and a rate limit are changed by a put, in every replica within 2 s",
    command: "npx nx test @plumbline/e2e -- test/etcd.test.ts",
    cost: "tests",
  },
  {
    claim: "An annotated RPC needs no code in the gateway; OpenAPI 3.1 comes from the same protos",
    command: "npx nx test @plumbline/gateway -- test/unknown-package.test.ts",
    cost: "tests",
  },
  {
    claim: "Calls over TLS on both transports: client certificates, named faults, certificates replaced under load",
    command: "npm test -w libs/rpc -- src/tls/tls.test.ts src/transports/over-tls.test.ts",
    cost: "tests",
  },
  {
    claim: "The same journeys pass from the sources and from the bundles; wrong input gets a problem document",
    command: "npx nx test @plumbline/e2e -- test/journeys.test.ts test/bundles.test.ts",
    cost: "tests",
  },
  {
    claim: "Replicas share the work, and a rolling restart fails no request",
    command: "npx nx test @plumbline/e2e -- test/replicas.test.ts",
    cost: "tests",
  },
  {
    claim: "An order is one trace, from its request to the watcher's last line, retries and dead letters included",
    command: "npx nx test @plumbline/e2e -- test/trace.test.ts",
    cost: "tests",
  },
  {
    claim: "Spans, metrics and log fields are those of [telemetry.md](telemetry.md), and no others",
    command: "npx nx test @plumbline/e2e -- test/signals.test.ts",
    cost: "tests",
  },
  {
    claim: "Greeter in TypeScript and in Go keep one contract on the wire",
    command: "npx nx test @plumbline/e2e -- test/greeter-contract.test.ts",
    cost: "tests",
    needs: "go",
  },
  {
    claim: "Services killed before and after each commit and send: nothing is lost, made up or doubled",
    command: "npm run crash",
    cost: "slow",
  },
  {
    claim: "The images of four services are at most 80 MB compressed, with at most 3 MB of their own each",
    command: "npm run containers -- sizes",
    cost: "slow",
    needs: "docker",
  },
  {
    claim: "Kafka, Postgres, Redis, worker and orders killed for 20 s each: 200 of 200 orders each time",
    command: "npm run chaos -- outages",
    cost: "slow",
    needs: "docker",
  },
  {
    claim: "Replicas restarted one at a time under load: no failed request; all stopped under load: nothing lost",
    command: "npm run chaos -- rolling stop",
    cost: "slow",
    needs: "docker",
  },
  {
    claim: "Two gateways, two orders, three workers: watched through one gateway, cancelled through the other",
    command: "npm run chaos -- scale",
    cost: "slow",
    needs: "docker",
  },
  {
    claim: "200 users for half a minute stay within the objectives",
    command: "npm run load",
    cost: "slow",
    needs: "k6",
    stack: true,
  },
  {
    claim: "All processes of the system together fit in half a gigabyte, from the second start of a checkout on",
    command: "npm start -- --measure",
    prints: "ready after",
    figure: /ready after ([\d.]+ s)|together +(\d+ MiB)/,
    cost: "slow",
  },
  { claim: "The HTTP/2 transport passes h2spec", command: "npm run h2spec -w libs/http2", cost: "slow" },
  {
    claim: "An hour of calls, restarts and lost connections leaves the heap flat",
    command: "npm run soak -w libs/rpc",
    cost: "slow",
  },
  {
    claim: "Batches are 5 times as fast as single sends, 16 handlers 10 times as one, idle connections sleep",
    command: "npm run bench",
    cost: "slow",
    needs: "java",
  },
  {
    claim: "The gRPC transport passes gRPC's interop cases against grpc-go, in both directions",
    command: "npm run interop -w libs/rpc",
    cost: "slow",
    needs: "go",
  },
  {
    claim: "grpcio, grpc-java and go-spiffe call our servers, and our clients theirs, on both transports",
    command: "npm run peers -w libs/rpc",
    cost: "slow",
  },
  {
    claim: "The gRPC transport passes Connect's conformance suite for gRPC, as a server and as a client",
    command: "npm run connect-conformance -w libs/rpc",
    cost: "slow",
    needs: "go",
  },
  { claim: "Random frames and header blocks break neither side", command: "npm run fuzz -w libs/http2", cost: "slow" },
];
