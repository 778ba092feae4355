import { randomBytes } from "node:crypto";
import { chmod, chown, mkdtemp, rm } from "node:fs/promises";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import { findBinaries } from "./binaries.ts";
import { EngineError } from "./engine-error.ts";
import { freePort } from "./free-ports.ts";
import { chooseIdentity } from "./identity.ts";
import { runAs } from "./run-as.ts";
import { launch, type PostgresServer } from "./start-postgres.ts";
import { templateFolder } from "./template-folder.ts";

export interface TestDatabase extends AsyncDisposable {
  /** The URL of the superuser, on a database that no other test uses. */
  readonly url: string;
}

/**
 * Creates an empty database for one test or suite; disposing drops it. It is on the server of
 * TEST_POSTGRES_URL (whose role must be able to create databases), or on an embedded server that
 * the whole process shares and that ends with it.
 */
export async function testDatabase(): Promise<TestDatabase> {
  const server = process.env["TEST_POSTGRES_URL"] ?? (await sharedServer()).url;
  // The name starts with the time, so that leftovers of killed runs are found by their age.
  const name = `test_${Date.now()}_${randomBytes(6).toString("hex")}`;
  await admin(server, `CREATE DATABASE ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    [Symbol.asyncDispose]: async () => await admin(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  };
}

let shared: Promise<PostgresServer> | undefined;

/** Keeps a server until the process ends, for the next test, without keeping the process alive. */
async function sharedServer(): Promise<PostgresServer> {
  shared ??= startTemporaryPostgres().then((server) => {
    server.process.unref();
    (server.process.stdin as Socket).unref();
    (server.process.stderr as Socket).unref();
    return server;
  });
  return await shared;
}

/** Settings without durability: the data of a test need not survive a power cut. */
const settings = {
  fsync: "off",
  synchronous_commit: "off",
  full_page_writes: "off",
  wal_level: "minimal",
  max_wal_senders: 0,
  max_connections: 200,
};

/** Starts a server for one caller. Its folder is removed when this process ends. */
export async function startTemporaryPostgres() {
  const binaries = findBinaries();
  const walSegmentMb = 1; // The default of 16 would be most of the bytes to copy.
  const user = "postgres";
  const identity = chooseIdentity(join(tmpdir(), "plumbline-test"), [binaries.initdb, binaries.postgres]);
  const template = await templateFolder(binaries, identity, { user, walSegmentMb });

  const dataDir = await mkdtemp(join(tmpdir(), "plumbline-test-"));
  try {
    if (identity.uid !== undefined && identity.gid !== undefined) await chown(dataDir, identity.uid, identity.gid);
    await chmod(dataDir, 0o700);
    await runAs(identity, "cp", ["-R", `${template.folder}/.`, dataDir]);
    for (let attempt = 1; ; attempt++) {
      const port = await freePort(); // A program that chooses its port otherwise may still be faster.
      try {
        const options = { dataDir, port, user, password: template.password, settings };
        const last = { environment: {}, lastSignal: "QUIT", removeFolder: dataDir } as const;
        const server = await launch(binaries, identity, options, last);
        return {
          ...server,
          [Symbol.asyncDispose]: async () => {
            await server[Symbol.asyncDispose]();
            await rm(dataDir, { recursive: true, force: true });
          },
        };
      } catch (error) {
        if (!(error instanceof EngineError) || error.code !== "port_taken" || attempt === 10) throw error;
      }
    }
  } catch (error) {
    await rm(dataDir, { recursive: true, force: true });
    throw error;
  }
}

/** Runs one statement on a connection of its own. */
export async function admin(url: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
