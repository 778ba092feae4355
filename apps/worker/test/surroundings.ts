import { fulfilmentEvents } from "@plumbline/contracts";
import { type Broker, type Message, openPostgresBroker } from "@plumbline/messaging";
import { type Database, openDatabase } from "@plumbline/postgres";
import { noTelemetry } from "@plumbline/telemetry";
import { type ProgramOptions, runService, testDatabase } from "@plumbline/tools-engines";

/** The engines of a worker, and the events that it publishes. */
export interface Surroundings extends AsyncDisposable {
  readonly broker: Broker;
  readonly database: Database;
  readonly environment: Readonly<Record<string, string>>;
  answersOf(orderId: string): readonly Message[];
}

export async function openSurroundings(program: ProgramOptions = {}): Promise<Surroundings> {
  await using opened = new AsyncDisposableStack();
  const own = opened.use(await testDatabase());
  const messaging = opened.use(await testDatabase());
  const environment = {
    WORKER_DATABASE_URL: own.url,
    WORKER_MESSAGING_URL: messaging.url,
    WORKER_RPC_HOST: "127.0.0.1",
    WORKER_RPC_PORT: "0",
    WORKER_OPS_PORT: "0",
  };
  const migrated = await runService("worker", environment, ["migrate"], program);
  if (migrated.code !== 0) throw new Error(`migrate failed:\n${migrated.output}`);

  const database = opened.use(await openDatabase({ url: own.url, applicationName: "test" }, noTelemetry));
  const broker = opened.use(await openPostgresBroker({ url: messaging.url }, noTelemetry));
  const answers: Message[] = [];
  const subscription = { group: "test", concurrency: 1 };
  opened.use(
    await broker.subscribe(fulfilmentEvents.topic, async ({ message }) => void answers.push(message), subscription),
  );
  const owned = opened.move();
  return {
    broker,
    database,
    environment,
    answersOf: (orderId) => answers.filter(({ key }) => key === orderId),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
