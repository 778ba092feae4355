import { createHmac, randomBytes } from "node:crypto";
import { chown, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { escapeIdentifier, escapeLiteral } from "pg";
import type { Binaries } from "./binaries.ts";
import { EngineError } from "./engine-error.ts";
import type { Identity } from "./identity.ts";
import { runAs } from "./run-as.ts";

const fileName = "superuser-password";

/** Returns a new random password. */
export function newPassword(): string {
  return randomBytes(24).toString("base64url");
}

/**
 * Returns the password of a role, made of that of the superuser: the same for each call, and no
 * help to guess another.
 */
export function passwordOf(role: string, superuserPassword: string): string {
  return createHmac("sha256", superuserPassword).update(role).digest("base64url");
}

/** Keeps the superuser's password in the data folder, which only the server's user may enter. */
export async function keepPassword(dataDir: string, password: string, identity: Identity): Promise<void> {
  const file = join(dataDir, fileName);
  await writeFile(file, `${password}\n`, { mode: 0o600 });
  if (identity.uid !== undefined && identity.gid !== undefined) await chown(file, identity.uid, identity.gid);
}

/** Returns the superuser's password that the data folder keeps, or undefined if it keeps none. */
export async function keptPassword(dataDir: string): Promise<string | undefined> {
  try {
    return (await readFile(join(dataDir, fileName), "utf8")).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * Gives a password to a data folder that was made without one, when the server trusted every client
 * of this machine. No server may run on it. Returns the password. Throws EngineError for a folder
 * whose password only its user knows.
 */
export async function setPassword(
  dataDir: string,
  binaries: Binaries,
  identity: Identity,
  user: string,
): Promise<string> {
  const hba = join(dataDir, "pg_hba.conf");
  const rules = await readFile(hba, "utf8");
  if (!/^\s*(?:local|host).*\strust\s*$/m.test(rules)) {
    throw new EngineError(
      "password_needed",
      `The data folder ${dataDir} has a password that is not known here: pass it as the option password, or delete the folder to start empty.`,
    );
  }
  const password = newPassword();
  // Without a network: PostgreSQL's single-user mode, which ends with its input.
  const statement = `ALTER ROLE ${escapeIdentifier(user)} PASSWORD ${escapeLiteral(password)}\n`;
  await runAs(identity, binaries.postgres, ["--single", "-D", dataDir, "postgres"], {
    environment: binaries.environment,
    input: statement,
  });
  const { uid, gid } = await stat(hba);
  await writeFile(hba, rules.replaceAll(/^(\s*(?:local|host).*\s)trust(\s*)$/gm, "$1scram-sha-256$2"));
  await keepPassword(dataDir, password, { ...identity, ...(process.getuid?.() === 0 && { uid, gid }) });
  return password;
}
