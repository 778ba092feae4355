import { openDatabase } from "@plumbline/postgres";
import { noTelemetry } from "@plumbline/telemetry";
import { type Watched, watched } from "../pairs/surroundings.ts";
import { cpuSecondsOfAll } from "../processes.ts";
import type { Engines } from "./engines.ts";
import type { Customer, Ending, Flow } from "./flow.ts";
import { operationsOf } from "./operations.ts";
import type { System } from "./systems.ts";

/** CPU microseconds of each order. */
export interface Cpu {
  readonly services: number;
  readonly postgres: number;
  readonly kafka: number;
}

export interface Closed extends Watched {
  readonly perSecond: number;
  readonly cpu: Cpu;
  /** Transactions of its databases for each order, including those of polls. */
  readonly commits: number;
  /** Operations for each order, if more than a tenth: see operationsOf. */
  readonly operations: Readonly<Record<string, number>>;
}

/** The measurements of one system. */
export interface Seen {
  readonly system: System;
  readonly customer: Customer;
  readonly closed: Readonly<Record<Ending, Closed[]>>;
  readonly atRate: Readonly<Record<Ending, Flow[]>>;
}

/** Places orders as fast as they are accepted, and measures their cost. */
export async function closedLoop(
  { system, customer }: Pick<Seen, "system" | "customer">,
  ending: Ending,
  engines: Engines,
  count: number,
): Promise<Closed> {
  const [before, operationsBefore] = [await spent(system, engines), await operationsOf(system.services)];
  const { perSecond, around } = await watched(() => customer.closed(ending, count));
  const [after, operationsAfter] = [await spent(system, engines), await operationsOf(system.services)];
  const micros = (key: keyof Cpu): number => ((after[key] - before[key]) * 1e6) / count;
  const cpu = { services: micros("services"), postgres: micros("postgres"), kafka: micros("kafka") };
  const each = [...operationsAfter].map(([key, n]) => [key, (n - (operationsBefore.get(key) ?? 0)) / count] as const);
  const operations = Object.fromEntries(each.filter(([, n]) => n > 0.1));
  return { perSecond, around, cpu, commits: (after.commits - before.commits) / count, operations };
}

/** Returns seconds of CPU so far, and transactions of the system's databases. */
async function spent({ services, prefix }: System, engines: Engines): Promise<Cpu & { readonly commits: number }> {
  const { postgresUrl: url, postgresPid, kafkaPid } = engines;
  await using database = await openDatabase({ url, applicationName: "bench", poolSize: 1 }, noTelemetry);
  const [row] = await database.query<{ commits: bigint }>(
    "select sum(xact_commit)::bigint as commits from pg_stat_database where starts_with(datname, $1)",
    [prefix],
  );
  return {
    services: services.reduce((sum, { running }) => sum + running.cpuSeconds(), 0),
    postgres: cpuSecondsOfAll(postgresPid),
    kafka: kafkaPid === undefined ? 0 : cpuSecondsOfAll(kafkaPid),
    commits: Number(row?.commits ?? 0n),
  };
}
