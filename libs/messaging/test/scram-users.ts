import assert from "node:assert/strict";
import { pbkdf2Sync, randomBytes } from "node:crypto";
import { alterUserScramCredentialsV0, Connection } from "@platformatic/kafka";

const mechanisms = {
  "scram-sha-256": { id: 1, digest: "sha256", bytes: 32 },
  "scram-sha-512": { id: 2, digest: "sha512", bytes: 64 },
} as const;
const iterations = 4096;

export type ScramMechanism = keyof typeof mechanisms;

/** Users to remove, and the passwords of those to add. */
export interface UserChange {
  readonly remove?: readonly string[];
  readonly add?: Readonly<Record<string, string>>;
}

/** Changes users of SCRAM on a listener that asks for no login. */
export async function alterScramUsers(
  brokers: string,
  mechanism: ScramMechanism,
  { remove = [], add = {} }: UserChange,
): Promise<void> {
  const { id, digest, bytes } = mechanisms[mechanism];
  const connection = new Connection("users");
  const [host = "", port] = brokers.split(":");
  await connection.connect(host, Number(port));
  try {
    const upsertions = Object.entries(add).map(([name, password]) => {
      const salt = randomBytes(16);
      return {
        name,
        mechanism: id,
        iterations,
        salt,
        saltedPassword: pbkdf2Sync(password, salt, iterations, bytes, digest),
      };
    });
    const deletions = remove.map((name) => ({ name, mechanism: id }));
    const { results } = await alterUserScramCredentialsV0.api.async(connection, deletions, upsertions);
    for (const { errorCode, errorMessage } of results) assert.equal(errorCode, 0, String(errorMessage));
  } finally {
    await connection.close();
  }
}
