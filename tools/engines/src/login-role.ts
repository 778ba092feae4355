import { randomBytes } from "node:crypto";
import { Client } from "pg";

/** A role that may log in, and has no other right. */
export interface LoginRole extends AsyncDisposable {
  readonly role: string;
  /** The URL of the role, on the database of the superuser's. */
  readonly url: string;
}

/**
 * Creates a role, optionally as a member of another. Disposing drops it and what it was granted.
 */
export async function createRole(adminUrl: string, memberOf?: string): Promise<LoginRole> {
  const role = `role_${randomBytes(6).toString("hex")}`;
  const password = randomBytes(12).toString("hex");
  const member = memberOf === undefined ? "" : ` IN ROLE ${memberOf}`;
  const url = Object.assign(new URL(adminUrl), { username: role, password }).href;
  const run = async (sql: string): Promise<void> => {
    const client = new Client({ connectionString: adminUrl, connectionTimeoutMillis: 10_000 });
    await client.connect();
    try {
      await client.query(sql);
    } finally {
      await client.end();
    }
  };
  await run(`CREATE ROLE ${role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD '${password}'${member}`);
  return { role, url, [Symbol.asyncDispose]: () => run(`DROP OWNED BY ${role}; DROP ROLE ${role}`) };
}
