import { appendToOutbox, createMessage, outboxMigration, type Publisher, relayOutbox } from "@plumbline/messaging";
import { type Database, migrate, openDatabase, type Transaction } from "@plumbline/postgres";
import { noTelemetry } from "@plumbline/telemetry";
import { createDatabase } from "@plumbline/tools-engines";
import { eachRound } from "../each-round.ts";
import type { Engines } from "../orders/engines.ts";
import { cpuSecondsOfAll } from "../processes.ts";

/** Transactions a second of so many concurrent writers. */
export interface Writers {
  readonly writers: number;
  /** Each stores a row in the outbox, which a relay empties. */
  readonly outbox: readonly number[];
  /** The same, and each commit notifies. */
  readonly notifying: readonly number[];
}

/** Changes that are announced to all replicas, as orders does for its watchers. */
export interface Announcements {
  /** The replicas that listen. */
  readonly listeners: number;
  readonly perSecond: readonly number[];
  /** CPU microseconds of Postgres for each change. */
  readonly postgres: readonly number[];
}

const counts = [1, 4, 16, 64];
const listenerCounts = [1, 4, 16, 64];
const announcingWriters = 16;
const lengthMs = 2_000;

/** A broker that accepts all at once and keeps nothing. */
const nowhere: Publisher = { publish: async () => {} };

/** Measures how many transactions append to one outbox, with ever more writers. */
export async function measureWriters(engines: Engines, rounds: number): Promise<Writers[]> {
  const url = await createDatabase(engines.postgresUrl, "writers", { owner: "writers" });
  const all: Writers[] = [];
  for (const writers of counts) {
    await using database = await openDatabase({ url, applicationName: "bench", poolSize: writers }, noTelemetry);
    await migrate(database, [{ id: 1, ...outboxMigration }]);
    await using _ = await relayOutbox(database, nowhere, noTelemetry);
    const one = { writers, outbox: [] as number[], notifying: [] as number[] };
    for (const _ of eachRound(rounds, `${writers} writers`)) {
      one.outbox.push(await commits(database, writers, append));
      one.notifying.push(
        await commits(database, writers, async (tx) => {
          await append(tx);
          await tx.query("select pg_notify('plumbline_outbox', '')", [], { name: "notify" });
        }),
      );
    }
    all.push(one);
  }
  return all;
}

/** Measures how many changes can be announced, with ever more replicas that listen. */
export async function measureAnnouncements(engines: Engines, rounds: number): Promise<Announcements[]> {
  const url = await createDatabase(engines.postgresUrl, "announcements", { owner: "announcements" });
  const all: Announcements[] = [];
  for (const listeners of listenerCounts) {
    await using stack = new AsyncDisposableStack();
    const open = async (poolSize: number) =>
      stack.use(await openDatabase({ url, applicationName: "bench", poolSize }, noTelemetry));
    const database = await open(announcingWriters);
    await database.query(
      "create table if not exists changes (id bigint generated always as identity, time timestamptz)",
    );
    for (let n = 0; n < listeners; n++) stack.use(await (await open(1)).listen("changes"));
    const one = { listeners, perSecond: [] as number[], postgres: [] as number[] };
    for (const _ of eachRound(rounds, `${listeners} listeners`)) {
      const before = cpuSecondsOfAll(engines.postgresPid);
      const perSecond = await commits(database, announcingWriters, async (tx) => {
        await tx.query("insert into changes (time) values (now())", [], { name: "change" });
        await tx.query("select pg_notify('changes', gen_random_uuid()::text)", [], { name: "notify" });
      });
      const changes = (perSecond * lengthMs) / 1_000;
      one.perSecond.push(perSecond);
      one.postgres.push(((cpuSecondsOfAll(engines.postgresPid) - before) * 1e6) / changes);
    }
    all.push(one);
  }
  return all;
}

async function append(tx: Transaction): Promise<void> {
  const data = new Uint8Array(100);
  const fields = { source: "/bench", type: "bench", key: "a", contentType: "application/octet-stream", data };
  await appendToOutbox(tx, "bench", createMessage(fields));
}

/** Returns transactions a second of so many writers, one after the other each. */
async function commits(database: Database, writers: number, work: (tx: Transaction) => Promise<void>): Promise<number> {
  const until = performance.now() + lengthMs;
  let count = 0;
  const write = async (): Promise<void> => {
    for (; performance.now() < until; count++) await database.transaction(work);
  };
  await Promise.all(Array.from({ length: writers }, write));
  return (count * 1_000) / lengthMs;
}
