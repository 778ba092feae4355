import { ordersEvents } from "@plumbline/contracts";
import { type Message, openMemoryBroker, relayOutbox } from "@plumbline/messaging";
import { type Database, migrate, openDatabase } from "@plumbline/postgres";
import { noTelemetry } from "@plumbline/telemetry";
import { type Proxy, proxyTo, testDatabase } from "@plumbline/tools-engines";
import { followChanges } from "../src/postgres/changes.ts";
import { PostgresInbox } from "../src/postgres/inbox.ts";
import { migrations } from "../src/postgres/migrations.ts";
import { PostgresOrders } from "../src/postgres/orders.ts";
import { followPending } from "../src/postgres/pending-counts.ts";
import { OrderWatchers } from "../src/watchers/order-watchers.ts";
import type { TestContext } from "./ports.ts";

export interface PostgresTestContext extends TestContext {
  readonly database: Database;
  /** The address of the database itself. */
  readonly url: string;
  /** The proxy between the service and its database. */
  readonly proxy: Proxy;
}

/** Opens a new database, and a relay from its outbox to a broker in this process. */
export async function openPostgresContext(): Promise<PostgresTestContext> {
  await using stack = new AsyncDisposableStack();
  const { url } = stack.use(await testDatabase());
  const proxy = stack.use(await proxyTo(url));
  const database = stack.use(await openDatabase({ url: proxy.url, applicationName: "orders" }, noTelemetry));
  await migrate(database, migrations);

  const messages: Message[] = [];
  const broker = stack.use(openMemoryBroker());
  await broker.createTopics([ordersEvents.topic], ordersEvents);
  await broker.subscribe(ordersEvents.topic, async ({ message }) => void messages.push(message), {
    group: "test",
    concurrency: 1,
  });
  stack.use(await relayOutbox(database, broker, noTelemetry));

  const watchers = new OrderWatchers(100, noTelemetry);
  stack.use(await followChanges(database, watchers));
  const pending = stack.use(followPending(database, noTelemetry));
  const owned = stack.move();
  return {
    orders: new PostgresOrders(database, noTelemetry, pending.current),
    inbox: new PostgresInbox(database, noTelemetry),
    changes: watchers,
    announced: () => messages,
    database,
    url,
    proxy,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
