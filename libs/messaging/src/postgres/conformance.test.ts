import { after } from "node:test";
import { openDatabase } from "@plumbline/postgres";
import { noTelemetry } from "@plumbline/telemetry";
import { testDatabase } from "@plumbline/tools-engines";
import { conformance } from "../conformance.ts";
import { openPostgresBroker } from "./broker.ts";

const engine = await testDatabase();
after(() => engine[Symbol.asyncDispose]());

const maxMessageBytes = 100_000;

conformance(
  "postgres",
  {
    ordered: true,
    persistent: true,
    maxMessageBytes,
    breakConnections: async () => {
      await using database = await openDatabase({ url: engine.url, applicationName: "breaker" }, noTelemetry);
      await database.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
      );
    },
  },
  () => openPostgresBroker({ url: engine.url, maxMessageBytes }, noTelemetry),
);
