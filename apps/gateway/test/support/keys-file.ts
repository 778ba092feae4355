import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ApiKeyEntry, newApiKey } from "@plumbline/auth";
import { replaceFile } from "./replace-file.ts";

export interface TestKey {
  readonly text: string;
  readonly entry: ApiKeyEntry;
}

/** Returns a key that is valid for ten minutes. */
export function testKey(subject: string, changes: Partial<ApiKeyEntry> = {}): TestKey {
  const { text, id, digest } = newApiKey();
  const [created, until] = [-60_000, 600_000].map((ms) => new Date(Date.now() + ms).toISOString()) as [string, string];
  const scopes = ["orders:read", "orders:write"];
  return { text, entry: { id, digest, subject, scopes, created, until, ...changes } };
}

/** Makes a file of API keys in a folder of its own. A change replaces the file at once. */
export async function keysFile(...keys: readonly TestKey[]) {
  const folder = await mkdtemp(join(tmpdir(), "gateway-keys-"));
  const path = join(folder, "api-keys.json");
  const write = (text: string): Promise<void> => replaceFile(path, text);
  const put = (...kept: readonly TestKey[]) => write(JSON.stringify({ keys: kept.map(({ entry }) => entry) }));
  await put(...keys);
  return { path, write, put, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}
