import { after } from "node:test";
import { openDatabase } from "@plumbline/postgres";
import { noTelemetry } from "@plumbline/telemetry";
import { createRole, testDatabase } from "@plumbline/tools-engines";
import type { Broker } from "../broker.ts";
import { conformance } from "../conformance.ts";
import type { Rights } from "../rights.ts";
import { openPostgresBroker } from "./broker.ts";
import { grantOnPostgres } from "./grants.ts";

const stack = new AsyncDisposableStack();
after(() => stack.disposeAsync());
const engine = stack.use(await testDatabase());

const maxMessageBytes = 100_000;

async function breakConnections(): Promise<void> {
  await using database = await openDatabase({ url: engine.url, applicationName: "breaker" }, noTelemetry);
  await database.query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
  );
}

conformance(
  "postgres",
  {
    ordered: true,
    persistent: true,
    maxMessageBytes,
    breakConnections,
  },
  () => openPostgresBroker({ url: engine.url, maxMessageBytes }, noTelemetry),
);

/** A role without rights of its own. The suite's names of topics and groups are made as it goes. */
const login = stack.use(await createRole(engine.url));
const allow = (rights: Partial<Rights>) =>
  grantOnPostgres({ url: engine.url }, login.role, { publishes: [], consumes: [], ...rights }, noTelemetry);
await allow({});

conformance(
  "postgres, with a role of one service,",
  { ordered: true, persistent: true, maxMessageBytes, breakConnections },
  async () => {
    await using opened = new AsyncDisposableStack();
    const owner = opened.use(await openPostgresBroker({ url: engine.url }, noTelemetry));
    const broker = opened.use(await openPostgresBroker({ url: login.url, maxMessageBytes }, noTelemetry));
    const owned = opened.move();
    const granted: Partial<Broker> = {
      createTopics: async (topics, options) => {
        await owner.createTopics(topics, options);
        await allow({ publishes: topics });
      },
      subscribe: async (topic, handler, options) => {
        await allow({ consumes: [{ topic, group: options.group }] });
        return await broker.subscribe(topic, handler, options);
      },
      [Symbol.asyncDispose]: () => owned.disposeAsync(),
    };
    return new Proxy(broker, { get: (target, key) => Reflect.get(granted, key) ?? Reflect.get(target, key, target) });
  },
);
