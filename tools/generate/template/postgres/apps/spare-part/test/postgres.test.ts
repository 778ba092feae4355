import { migrate, openDatabase } from "@plumbline/postgres";
import { noTelemetry } from "@plumbline/telemetry";
import { testDatabase } from "@plumbline/tools-engines";
import { migrations } from "../src/postgres/migrations.ts";
import { PostgresSpareParts } from "../src/postgres/spare-parts.ts";
import { sparePartsContract } from "./spare-parts.ts";

sparePartsContract("postgres", async () => {
  await using stack = new AsyncDisposableStack();
  const { url } = stack.use(await testDatabase());
  const database = stack.use(await openDatabase({ url, applicationName: "spare-part" }, noTelemetry));
  await migrate(database, migrations);
  const owned = stack.move();
  return Object.assign(new PostgresSpareParts(database), { [Symbol.asyncDispose]: () => owned.disposeAsync() });
});
