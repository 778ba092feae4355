import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Database, openDatabase, sqlStateOf } from "@plumbline/postgres";
import { noTelemetry } from "@plumbline/telemetry";
import { eventually, testDatabase } from "@plumbline/tools-engines";

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
  /** A superuser on the databases orders and messaging. */
  readonly admin: Database;
  readonly messagingUrl: string;
  /** The settings of orders, which name the files of the secret. */
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

export async function openRotatingRoles(): Promise<RotatingRoles> {
  await using opened = new AsyncDisposableStack();
  const orders = opened.use(await testDatabase());
  const messaging = opened.use(await testDatabase());
  const admin = opened.use(await openDatabase({ url: orders.url, applicationName: "admin" }, noTelemetry));
  const id = randomBytes(4).toString("hex");
  const owner = `app_owner_${id}`;
  const roles = [`app_a_${id}`, `app_b_${id}`];

  opened.defer(async () => {
    const all = [owner, ...roles].join(", ");
    for (const url of [orders.url, messaging.url]) {
      await run(url, [`REASSIGN OWNED BY ${all} TO CURRENT_USER`, `DROP OWNED BY ${all}`]);
    }
    await admin.query(`DROP ROLE ${[...roles, owner].join(", ")}`);
  });
  await admin.query(`CREATE ROLE ${owner} NOLOGIN`);
  for (const role of roles) {
    await admin.query(`CREATE ROLE ${role} NOLOGIN IN ROLE ${owner}`);
    await admin.query(`ALTER ROLE ${role} SET role = ${owner}`);
  }
  for (const url of [orders.url, messaging.url]) {
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
    writeFileSync(join(folder, name, "database"), urlOf(orders.url, login));
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
    const [row] = await admin.query<{ n: number }>(
      "SELECT count(*)::int AS n FROM pg_stat_activity WHERE usename = $1",
      [role],
    );
    return row?.n ?? 0;
  }

  await rotate();
  const owned = opened.move();
  return {
    admin,
    messagingUrl: messaging.url,
    environment: {
      ORDERS_DATABASE_URL_FILE: join(folder, "database"),
      ORDERS_MESSAGING_URL_FILE: join(folder, "messaging"),
      ORDERS_RELAY_STANDBY_MS: "50",
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
      return cut.length;
    },
    async tryLogin(login) {
      const opening = openDatabase({ url: urlOf(orders.url, login), applicationName: "try" }, noTelemetry);
      const state = await opening.then(() => undefined, sqlStateOf);
      if (state === undefined) await (await opening)[Symbol.asyncDispose]();
      return state;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function run(url: string, statements: readonly string[]): Promise<void> {
  await using database = await openDatabase({ url, applicationName: "admin", poolSize: 1 }, noTelemetry);
  for (const statement of statements) await database.query(statement);
}

function urlOf(server: string, { role, password }: Login): string {
  const url = new URL(server);
  url.username = role;
  url.password = password;
  return url.href;
}
