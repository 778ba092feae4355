import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, type DatabaseError } from "pg";
import { eventually } from "./eventually.ts";
import { testDatabase } from "./test-database.ts";

/** A role that may log in, until it is locked. */
export interface Login {
  readonly role: string;
  readonly password: string;
}

/**
 * The roles of docs/runbooks/rotate-secrets.md: databases that two roles use in turns, `app_a` and
 * `app_b`, and a mounted secret with the URLs of the one in turn. Both roles are members of the
 * owner, and act as the owner, so that the tables belong to neither.
 */
export interface RotatingRoles extends AsyncDisposable {
  /** The databases of the service and of the messages, as a superuser. */
  readonly databaseUrl: string;
  readonly messagingUrl: string;
  /** The settings of the service, which name the files of the secret. */
  readonly environment: Readonly<Record<string, string>>;
  /** The role whose URLs are in the files. */
  readonly current: Login;
  /** Gives the other role a new password, and swaps the secret as Kubernetes does. */
  rotate(): Promise<Login>;
  /** Returns the number of connections of a role. */
  connections(role: string): Promise<number>;
  /** Forbids the role to log in, and ends its connections. Returns their number. */
  lock(role: string): Promise<number>;
  /** Returns the SQLSTATE of the answer to a login. */
  tryLogin(login: Login): Promise<string | undefined>;
}

/** Creates the databases and the roles. `prefix` begins the settings of the service: "ORDERS". */
export async function openRotatingRoles(prefix: string): Promise<RotatingRoles> {
  await using opened = new AsyncDisposableStack();
  const own = opened.use(await testDatabase());
  const messaging = opened.use(await testDatabase());
  const admin = new Client({ connectionString: own.url });
  await admin.connect();
  opened.defer(() => admin.end());
  const id = randomBytes(4).toString("hex");
  const owner = `app_owner_${id}`;
  const roles = [`app_a_${id}`, `app_b_${id}`];

  opened.defer(async () => {
    const all = [owner, ...roles].join(", ");
    for (const url of [own.url, messaging.url]) {
      await run(url, [`REASSIGN OWNED BY ${all} TO CURRENT_USER`, `DROP OWNED BY ${all}`]);
    }
    await admin.query(`DROP ROLE ${[...roles, owner].join(", ")}`);
  });
  await admin.query(`CREATE ROLE ${owner} NOLOGIN`);
  for (const role of roles) {
    await admin.query(`CREATE ROLE ${role} NOLOGIN IN ROLE ${owner}`);
    await admin.query(`ALTER ROLE ${role} SET role = ${owner}`);
  }
  for (const url of [own.url, messaging.url]) {
    await admin.query(`ALTER DATABASE ${new URL(url).pathname.slice(1)} OWNER TO ${owner}`);
  }

  const folder = mkdtempSync(join(tmpdir(), "plumbline-roles-"));
  opened.defer(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of ["database", "messaging"]) symlinkSync(`..data/${name}`, join(folder, name));
  let version = 0;
  let current: Login = { role: roles[1] ?? "", password: "" };

  function write(login: Login): void {
    const name = `..version_${++version}`;
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, "database"), urlOf(own.url, login));
    writeFileSync(join(folder, name, "messaging"), urlOf(messaging.url, login));
    symlinkSync(name, join(folder, "..data_tmp"));
    renameSync(join(folder, "..data_tmp"), join(folder, "..data"));
    rmSync(join(folder, `..version_${version - 1}`), { recursive: true, force: true });
  }

  async function rotate(): Promise<Login> {
    const role = roles.find((one) => one !== current.role) ?? "";
    const password = randomBytes(12).toString("hex");
    await admin.query(`ALTER ROLE ${role} LOGIN PASSWORD '${password}'`);
    current = { role, password };
    write(current);
    return current;
  }

  async function connections(role: string): Promise<number> {
    const { rows } = await admin.query<{ n: number }>(
      "SELECT count(*)::int AS n FROM pg_stat_activity WHERE usename = $1",
      [role],
    );
    return rows[0]?.n ?? 0;
  }

  await rotate();
  const owned = opened.move();
  return {
    databaseUrl: own.url,
    messagingUrl: messaging.url,
    environment: {
      [`${prefix}_DATABASE_URL_FILE`]: join(folder, "database"),
      [`${prefix}_MESSAGING_URL_FILE`]: join(folder, "messaging"),
      [`${prefix}_RELAY_STANDBY_MS`]: "50",
    },
    get current() {
      return current;
    },
    rotate,
    connections,
    async lock(role) {
      await admin.query(`ALTER ROLE ${role} NOLOGIN`);
      const cut = await admin.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", [
        role,
      ]);
      await eventually(
        () => connections(role),
        (count) => count === 0,
      );
      return cut.rows.length;
    },
    async tryLogin(login) {
      const client = new Client({ connectionString: urlOf(own.url, login) });
      try {
        await client.connect();
        return undefined;
      } catch (error) {
        return (error as DatabaseError).code;
      } finally {
        await client.end();
      }
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** The result of one rotation. */
export interface Rotation {
  /** The time from the changed secret until no connection used the old role. */
  readonly unusedMs: number;
  /** The number of connections that the lock of the old role cut. */
  readonly cut: number;
}

/**
 * Rotates the roles as the runbook says: changes the secret, waits up to `ms` until no connection
 * uses the old role, and locks it. Then waits for connections of the new role. Rejects if the old
 * role may still log in.
 */
export async function rotateAndLock(roles: RotatingRoles, ms: number): Promise<Rotation> {
  const old = roles.current;
  const start = performance.now();
  const next = await roles.rotate();
  await eventually(
    () => roles.connections(old.role),
    (count) => count === 0,
    ms,
  ).catch(() => undefined);
  const unusedMs = Math.round(performance.now() - start);
  const cut = await roles.lock(old.role);
  const state = await roles.tryLogin(old);
  if (state !== "28000") throw new Error(`the login of a locked role ended with ${state}, not 28000`);
  // For a moment no role has a connection: the pool opens new ones with the next calls.
  await eventually(
    () => roles.connections(next.role),
    (count) => count > 0,
    ms,
  );
  return { unusedMs, cut };
}

async function run(url: string, statements: readonly string[]): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

function urlOf(server: string, { role, password }: Login): string {
  const url = new URL(server);
  url.username = role;
  url.password = password;
  return url.href;
}
