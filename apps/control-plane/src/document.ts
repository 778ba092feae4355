import { durationMs } from "@plumbline/config";
import { parseTarget, type Resolver } from "@plumbline/rpc/discovery";
import { spiffeId } from "@plumbline/rpc/settings";
import { z } from "zod";

const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, "expected letters, digits, and . _ - between them");
const named = <T extends z.ZodType>(value: T) => z.record(name, value);
const count = (preset: number) => z.int().min(0).max(1_000_000).default(preset);
const positiveMs = (preset: number) => z.int().min(1).max(86_400_000).default(preset);

const path = z.string().regex(/^\/[^\0]{1,4095}$/, "expected an absolute path, as the proxy sees it");

/** A certificate of the proxy. It reads the files again when one is moved into the directory. */
const certificate = z.strictObject({
  certificateFile: path,
  keyFile: path,
  /** The authorities that the other sides' certificates are from. */
  caFile: path,
  /** The folder of the files, if not given. */
  watchedDirectory: path.optional(),
});

const healthCheck = z.union([
  z.strictObject({ http: z.string().startsWith("/"), ...checkTimes() }),
  z.strictObject({ grpc: z.string(), ...checkTimes() }),
]);

function checkTimes() {
  return {
    /** The port that is asked, if it is not that of the endpoint. */
    port: z.int().min(1).max(65_535).optional(),
    intervalMs: positiveMs(2_000),
    timeoutMs: positiveMs(1_000),
    unhealthyAfter: count(2),
    healthyAfter: count(1),
  };
}

const cluster = z
  .strictObject({
    endpoints: z
      .array(z.string().regex(/^(\[[0-9a-fA-F:.]+\]|[^\s:/]+):\d{1,5}$/, "expected host:port"))
      .min(1)
      .max(1_000)
      .optional(),
    /** A name for a resolver, such as "dns:///orders:50052". */
    target: z.string().min(1).optional(),
    protocol: z.enum(["http1", "http2"]).default("http1"),
    /** The calls are over TLS, and the servers have certificates with the id. */
    tls: z.strictObject({ certificate: name, id: spiffeId() }).optional(),
    balance: z.enum(["round_robin", "least_request"]).default("round_robin"),
    connectTimeoutMs: positiveMs(1_000),
    /** Less than the time after which the servers close an idle connection. */
    idleTimeoutMs: positiveMs(4_000),
    healthCheck: healthCheck.optional(),
    /** With fewer healthy endpoints than this, requests go to all of them. */
    panicPercent: z.int().min(0).max(100).default(50),
    outliers: z
      .strictObject({
        consecutive5xx: count(5),
        intervalMs: positiveMs(1_000),
        ejectMs: positiveMs(30_000),
        maxPercent: z.int().min(0).max(100).default(10),
      })
      .prefault({}),
    limits: z
      .strictObject({
        connections: count(1_024),
        pendingRequests: count(1_024),
        requests: count(1_024),
        retries: count(10),
      })
      .prefault({}),
  })
  .refine(({ endpoints, target }) => (endpoints === undefined) !== (target === undefined), {
    path: ["endpoints"],
    message: "expected either endpoints or target",
  });

const headerMatch = z.union([
  z.string().transform((exact) => ({ exact })),
  z.strictObject({ exact: z.string() }),
  z.strictObject({ prefix: z.string().min(1) }),
  z.strictObject({ present: z.boolean() }),
]);

const rule = z
  .strictObject({
    prefix: z.string().startsWith("/").optional(),
    path: z.string().startsWith("/").optional(),
    headers: z.record(z.string().min(1), headerMatch).default({}),
    to: z.union([
      name.transform((only): Readonly<Record<string, number>> => ({ [only]: 1 })),
      named(z.int().min(0).max(1_000_000)).refine(
        (weights) => Object.values(weights).some((weight) => weight > 0),
        "expected a weight above 0",
      ),
    ]),
    timeoutMs: durationMs(15_000),
    retries: z
      .strictObject({
        attempts: z.int().min(0).max(10).default(2),
        on: z.string().default("reset-before-request,refused-stream"),
        perTryTimeoutMs: positiveMs(15_000).optional(),
      })
      .prefault({}),
  })
  .refine(({ prefix, path }) => prefix === undefined || path === undefined, {
    path: ["path"],
    message: "expected either prefix or path",
  });

const listener = z.strictObject({
  host: z.string().default("0.0.0.0"),
  /** None makes a listener for gRPC clients, which dial `xds:///NAME`. */
  port: z.int().min(1).max(65_535).optional(),
  routes: name,
  /** The number of proxies in front of this one whose X-Forwarded-For is trusted. */
  trustedHops: z.int().min(0).max(10).default(0),
  /** The callers are known by their certificates, and others are refused. */
  tls: z.strictObject({ certificate: name, callers: z.array(spiffeId()).min(1).max(100) }).optional(),
});

const virtualHost = z.strictObject({
  hosts: z.array(z.string().min(1)).min(1).default(["*"]),
  rules: z.array(rule).min(1).max(1_000),
});

/** The document that the proxies are configured by. A change is sent to them as a whole. */
export const RoutesDocument = z
  .object({
    certificates: named(certificate).default({}),
    listeners: named(listener),
    clusters: named(cluster),
    routes: named(z.array(virtualHost).min(1)),
  })
  .superRefine(({ certificates, listeners, clusters, routes }, context) => {
    const refuse = (path: (string | number)[], message: string): void =>
      context.addIssue({ code: "custom", path, message });
    for (const [kind, rows] of Object.entries({ listeners, clusters })) {
      for (const [key, { tls }] of Object.entries(rows)) {
        if (tls === undefined || Object.hasOwn(certificates, tls.certificate)) continue;
        refuse([kind, key, "tls", "certificate"], `expected a key of certificates, not "${tls.certificate}"`);
      }
    }
    for (const [key, { routes: table, port, tls }] of Object.entries(listeners)) {
      if (!(table in routes)) refuse(["listeners", key, "routes"], `expected a key of routes, not "${table}"`);
      if (tls !== undefined) {
        if (port === undefined)
          refuse(["listeners", key, "tls"], "expected a port beside it: gRPC clients have no use for it");
        continue;
      }
      const lent = clustersOf(routes[table]).find((cluster) => clusters[cluster]?.tls !== undefined);
      if (lent === undefined) continue;
      const reason = `its routes lead to "${lent}", which gets calls in the name of the proxy`;
      refuse(["listeners", key, "tls"], `expected callers, since ${reason}`);
    }
    for (const [key, table] of Object.entries(routes)) {
      const seen = new Set<string>();
      for (const [i, { hosts, rules }] of table.entries()) {
        for (const host of hosts) {
          if (seen.has(host)) refuse(["routes", key, i, "hosts"], `expected each host once; "${host}" is there twice`);
          seen.add(host);
        }
        for (const [j, { to }] of rules.entries()) {
          for (const target of Object.keys(to)) {
            if (target in clusters) continue;
            refuse(["routes", key, i, "rules", j, "to"], `expected a key of clusters, not "${target}"`);
          }
        }
      }
    }
  });

/** Returns the names of the clusters that a table of routes leads to. */
function clustersOf(table: readonly VirtualHostRow[] = []): string[] {
  return table.flatMap(({ rules }) => rules.flatMap(({ to }) => Object.keys(to)));
}

/** Returns the schema of the document, whose targets must each have one of the resolvers. */
export function routesDocument(resolvers: readonly Resolver[]) {
  return RoutesDocument.superRefine(({ clusters }, context) => {
    for (const [key, { target }] of Object.entries(clusters)) {
      try {
        if (target !== undefined) parseTarget(target, resolvers);
      } catch (error) {
        // The caller of the schema adds "expected".
        const message = (error as Error).message.replace(/^invalid target .*: expected /, "");
        context.addIssue({ code: "custom", path: ["clusters", key, "target"], message });
      }
    }
  });
}

export type Routes = z.output<typeof RoutesDocument>;
export type CertificateRow = Routes["certificates"][string];
export type ClusterRow = Routes["clusters"][string];
export type ListenerRow = Routes["listeners"][string];
export type VirtualHostRow = Routes["routes"][string][number];
export type RuleRow = VirtualHostRow["rules"][number];
