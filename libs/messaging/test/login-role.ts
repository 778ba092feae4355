import { randomBytes } from "node:crypto";
import { openDatabase } from "@plumbline/postgres";
import { noTelemetry } from "@plumbline/telemetry";

/** A role that may log in, and has no other right. */
export interface LoginRole extends AsyncDisposable {
  readonly role: string;
  /** The URL of the role, on the database of the superuser's. */
  readonly url: string;
}

/** Creates a role, optionally as a member of another. Disposing drops it and what it was granted. */
export async function createRole(adminUrl: string, memberOf?: string): Promise<LoginRole> {
  await using opened = new AsyncDisposableStack();
  const admin = opened.use(await openDatabase({ url: adminUrl, applicationName: "roles", poolSize: 1 }, noTelemetry));
  const role = `role_${randomBytes(6).toString("hex")}`;
  const password = randomBytes(12).toString("hex");
  const member = memberOf === undefined ? "" : ` IN ROLE ${memberOf}`;
  await admin.query(`CREATE ROLE ${role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD '${password}'${member}`);
  const url = Object.assign(new URL(adminUrl), { username: role, password }).href;
  const owned = opened.move();
  return {
    role,
    url,
    async [Symbol.asyncDispose]() {
      await admin.query(`DROP OWNED BY ${role}`);
      await admin.query(`DROP ROLE ${role}`);
      await owned.disposeAsync();
    },
  };
}
