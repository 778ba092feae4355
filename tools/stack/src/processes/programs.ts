/**
 * The whole system as one readable table: what runs, with which settings, and what each process needs before it starts.
 * `npm start` and the end-to-end tests run the same table on different ports and folders.
 */
import { join } from "node:path";

export type Environment = Readonly<Record<string, string>>;

export interface Program {
  readonly name: string;
  /** The script, relative to the repository. */
  readonly entry: string;
  readonly args?: readonly string[];
  readonly environment: Environment;
  /** Answers 200 once the program is ready. */
  readonly ready: string;
}

export interface Ports {
  readonly gateway: number;
  readonly greeter: number;
  readonly orders: number;
  readonly worker: number;
  readonly supplier: number;
  readonly gatewayOps: number;
  readonly greeterOps: number;
  readonly ordersOps: number;
  readonly workerOps: number;
  readonly postgres: number;
  readonly kafka: number;
}

export const defaultPorts: Ports = {
  gateway: 8080,
  greeter: 50051,
  orders: 50052,
  worker: 50053,
  supplier: 8090,
  gatewayOps: 9464,
  greeterOps: 9465,
  ordersOps: 9466,
  workerOps: 9467,
  postgres: 54329,
  kafka: 19092,
};

/** All of them in a row, in the order above. */
export function portsFrom(first: number): Ports {
  return Object.fromEntries(Object.keys(defaultPorts).map((name, index) => [name, first + index])) as unknown as Ports;
}

/** One database for each owner of data, reached by a role of its own. */
export const databases = ["orders", "worker", "messaging"] as const;
export type DatabaseName = (typeof databases)[number];

/** What carries the events: a database of the embedded Postgres, or Apache Kafka on the local JVM. */
export type Adapter = "postgres" | "kafka";

/** What runs of a service: its source, which needs no build, or its bundle (`nx build`). */
export type Entry = "source" | "bundle";

/** What carries the calls between the services, as their settings name it. */
export const transports = ["grpc-js", "http2"] as const;
export type Transport = (typeof transports)[number];

/**
 * The transport that `PLUMBLINE_TRANSPORT` names, for every service of a stack; undefined where it names none: then each has
 * its own default. docker-compose.yml reads the same variable. Throws for one that nobody knows.
 */
export function givenTransport(environment: NodeJS.ProcessEnv = process.env): Transport | undefined {
  const name = environment["PLUMBLINE_TRANSPORT"] ?? "";
  return name === "" ? undefined : transportOf(name, "PLUMBLINE_TRANSPORT");
}

/** `what` names the setting in the message of the error. */
export function transportOf(name: string, what: string): Transport {
  const found = transports.find((transport) => transport === name);
  if (found === undefined) throw new Error(`${what} takes ${transports.join(" or ")}, not ${JSON.stringify(name)}`);
  return found;
}

export interface ProgramsOptions {
  /** What carries the events; "postgres" by default. */
  readonly adapter?: Adapter | undefined;
  /** What runs of the services: their source, as in development, or the bundles that an image holds. "source" by default. */
  readonly entry?: Entry | undefined;
  /** What carries the calls; the services' own default where not given. */
  readonly transport?: Transport | undefined;
  /** Settings every service gets. */
  readonly environment?: Environment | undefined;
}

/** The script of each service, relative to the repository. */
export function entries(entry: Entry): Readonly<Record<"greeter" | "orders" | "worker" | "gateway", string>> {
  const file = entry === "source" ? "src/main.ts" : "dist/main.js";
  return {
    greeter: `apps/greeter/${file}`,
    orders: `apps/orders/${file}`,
    worker: `apps/worker/${file}`,
    gateway: `apps/gateway/${file}`,
  };
}

/** The programs in the order they start: those that are called before those that call. */
export function programs(
  ports: Ports,
  urls: Readonly<Record<DatabaseName, string>>,
  options: ProgramsOptions = {},
): Program[] {
  const { adapter = "postgres", entry = "source", transport, environment: extra = {} } = options;
  const scripts = entries(entry);
  const messaging = (name: string): Environment =>
    adapter === "kafka"
      ? {
          [`${name}_MESSAGING_ADAPTER`]: "kafka",
          [`${name}_KAFKA_BROKERS`]: `127.0.0.1:${ports.kafka}`,
          // One that is killed gives its partitions back after this; 30 s would be a long look at a terminal.
          [`${name}_KAFKA_SESSION_MS`]: "6000",
        }
      : { [`${name}_MESSAGING_ADAPTER`]: "postgres", [`${name}_MESSAGING_URL`]: urls.messaging };
  const rpc = (name: string, port: number, opsPort: number): Environment => ({
    ...(transport && { [`${name}_RPC_TRANSPORT`]: transport }),
    ...extra,
    [`${name}_RPC_PORT`]: String(port),
    [`${name}_OPS_PORT`]: String(opsPort),
  });
  return [
    {
      name: "supplier",
      entry: "apps/supplier/src/main.ts",
      environment: { SUPPLIER_PORT: String(ports.supplier) },
      ready: `http://127.0.0.1:${ports.supplier}/healthz`,
    },
    {
      name: "greeter",
      entry: scripts.greeter,
      environment: rpc("GREETER", ports.greeter, ports.greeterOps),
      ready: `http://127.0.0.1:${ports.greeterOps}/readyz`,
    },
    {
      name: "orders",
      entry: scripts.orders,
      environment: {
        ...rpc("ORDERS", ports.orders, ports.ordersOps),
        ORDERS_DATABASE_URL: urls.orders,
        ...messaging("ORDERS"),
      },
      ready: `http://127.0.0.1:${ports.ordersOps}/readyz`,
    },
    {
      name: "worker",
      entry: scripts.worker,
      environment: {
        ...rpc("WORKER", ports.worker, ports.workerOps),
        WORKER_DATABASE_URL: urls.worker,
        ...messaging("WORKER"),
        WORKER_SUPPLIERS_URL: `http://127.0.0.1:${ports.supplier}`,
      },
      ready: `http://127.0.0.1:${ports.workerOps}/readyz`,
    },
    {
      name: "gateway",
      entry: scripts.gateway,
      environment: {
        ...(transport && { GATEWAY_TRANSPORT: transport }),
        ...extra,
        GATEWAY_HTTP_PORT: String(ports.gateway),
        GATEWAY_OPS_PORT: String(ports.gatewayOps),
        GATEWAY_UPSTREAMS_GREETER: `dns:///127.0.0.1:${ports.greeter}`,
        GATEWAY_UPSTREAMS_ORDERS: `dns:///127.0.0.1:${ports.orders}`,
        GATEWAY_UPSTREAMS_FULFILMENT: `dns:///127.0.0.1:${ports.worker}`,
      },
      ready: `http://127.0.0.1:${ports.gatewayOps}/readyz`,
    },
  ];
}

/** Where the embedded stack keeps its data: `npm start -- --fresh` removes it. */
export function dataFolder(root: string): string {
  return join(root, ".plumbline", "data");
}
