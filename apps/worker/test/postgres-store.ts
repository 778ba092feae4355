import { relayOutbox } from "@plumbline/messaging";
import { type Database, migrate, openDatabase } from "@plumbline/postgres";
import { noTelemetry } from "@plumbline/telemetry";
import { testDatabase } from "@plumbline/tools-engines";
import { PostgresFulfilments } from "../src/postgres/fulfilments.ts";
import { migrations } from "../src/postgres/migrations.ts";
import type { OpenStore } from "./test-context.ts";

/** Opens a new, migrated database. */
export async function openTestDatabase(): Promise<AsyncDisposable & { readonly database: Database }> {
  await using opened = new AsyncDisposableStack();
  const { url } = opened.use(await testDatabase());
  const database = opened.use(await openDatabase({ url, applicationName: "worker-test" }, noTelemetry));
  await migrate(database, migrations);
  const owned = opened.move();
  return { database, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Opens a new database whose outbox is relayed to the broker. */
export const postgresStore: OpenStore = async (broker, telemetry) => {
  await using opened = new AsyncDisposableStack();
  const { database } = opened.use(await openTestDatabase());
  opened.use(await relayOutbox(database, broker, telemetry));
  const owned = opened.move();
  return {
    fulfilments: new PostgresFulfilments(database, telemetry.tracer),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
};
