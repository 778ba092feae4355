/**
 * The one description of the system: a row for each program. The embedded stack reads it as it is.
 * docker-bake.hcl, the scrape jobs, the alert on services that are down, the proxies of the profile
 * chaos and the gateway's default targets are written from it by `npm run services`, and `npm run
 * check` compares docker-compose.yml with it.
 *
 * A new service is a row here, a folder below apps/ and a service in docker-compose.yml.
 */
export interface ServiceRow {
  /**
   * The folder below apps/, the compose service, the image `plumbline/NAME`, the job in Prometheus.
   */
  readonly name: string;
  /** The port that it listens on for its clients. */
  readonly port: number;
  /** It speaks HTTP to its clients, and gRPC where this is not set. */
  readonly http?: true;
  /** The port of metrics and health under `npm start`. In a container it is 9464 for each. */
  readonly opsPort?: number;
  /** The protobuf packages that it serves: the gateway calls it for those. */
  readonly packages?: readonly string[];
  /** It is given the address of every package, as UPSTREAMS_PACKAGE. */
  readonly upstreams?: true;
  /** It owns a database of its name, and migrates it before it starts. */
  readonly database?: true;
  /** The topics that it writes. */
  readonly publishes?: readonly string[];
  /** The topics that it reads. */
  readonly consumes?: readonly string[];
  /** The programs that it calls over HTTP, by the setting that takes the address. */
  readonly calls?: Readonly<Record<string, string>>;
  /** The compose profile that starts it. `npm start` and the default of compose do not. */
  readonly profile?: string;
  /** It plays another company's service: no settings of ours, no metrics, no release. */
  readonly standIn?: true;
  /** The compose network of a stand-in, which it shares with its callers alone. */
  readonly network?: string;
  /** It starts first, and this flag of `npm start` leaves it out. Compose always has it. */
  readonly flag?: string;
}

const services = [
  { name: "gateway", port: 8080, http: true, opsPort: 9464, upstreams: true },
  { name: "greeter", port: 50051, opsPort: 9465, packages: ["greeter"] },
  {
    name: "orders",
    port: 50052,
    opsPort: 9466,
    packages: ["orders"],
    database: true,
    publishes: ["orders.events"],
    consumes: ["fulfilment.events"],
  },
  {
    name: "worker",
    port: 50053,
    opsPort: 9467,
    packages: ["fulfilment"],
    database: true,
    publishes: ["fulfilment.events"],
    consumes: ["orders.events"],
    calls: { SUPPLIERS_URL: "supplier" },
  },
  { name: "supplier", port: 8090, http: true, standIn: true, network: "quotes" },
] as const satisfies readonly ServiceRow[];

/** The table as a type: names and ports as they are written. */
export type ServiceTable = typeof services;
export type ServiceName = ServiceTable[number]["name"] | "issuer";

export const rows: readonly (ServiceRow & { readonly name: ServiceName })[] = services;

/** The services that are ours: they have settings, metrics and a release. */
export const ownServices = rows.filter(({ standIn }) => standIn !== true);

/** The programs that a flag of `npm start` leaves out. */
export const flagRows: readonly (ServiceRow & { readonly name: ServiceName })[] = [
  { name: "issuer", port: 8_091, http: true, standIn: true, network: "identity", flag: "no-auth" },
];

/** The services of compose profiles: they have settings, metrics and an image. */
export const profileRows: readonly ServiceRow[] = [
  { name: "control-plane", port: 18_000, opsPort: 9469, profile: "envoy" },
];

/** The services that run on Kubernetes alone: they have settings, metrics and an image. */
export const clusterRows: readonly ServiceRow[] = [{ name: "operator", port: 9470, opsPort: 9470 }];

type Owner = Extract<ServiceTable[number], { database: true }>["name"];

/** The names of the services that own a database. */
export const databaseOwners = rows.filter(({ database }) => database === true).map(({ name }) => name as Owner);

/** Returns the row of a service. Throws where there is none. */
export function serviceRow(name: string): (typeof rows)[number] {
  const found = [...rows, ...flagRows].find((row) => row.name === name);
  if (found === undefined) throw new Error(`there is no service "${name}" in tools/stack/src/services.ts`);
  return found;
}
