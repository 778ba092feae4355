import { newApiKey } from "@plumbline/auth";
import { ApiKeysFile } from "@plumbline/auth/settings";
import { type Line, text, UsageError, whole } from "../command/index.ts";
import { changeKeys, type Keys, readKeys } from "./keys-file.ts";

export const spec = {
  name: "npm run keys",
  about: "Makes, lists and revokes the API keys in the file that a gateway follows (auth.apiKeysFile).",
  words: {
    new: "makes a key and prints it once: the file has its digest only",
    list: "the keys of the file, those that end first at the top",
    "revoke ID": "removes a key: the gateway refuses it within a second, and its streams end",
  },
  take: "free",
  wordsAs: "COMMAND",
  options: {
    subject: text("new: the customer or machine that the key calls as", { takes: "NAME" }),
    scopes: text("new: what it may do, such as 'orders:read orders:write'", { takes: "WORDS" }),
    days: whole("new: its time", { least: 1, most: 366, preset: 90 }),
    note: text("new: what it is for, 200 characters at most"),
    file: text("the file", { takes: "PATH", preset: ".plumbline/api-keys.json" }),
  },
  notes: [
    "npm run -s keys -- new ... prints nothing but the key on stdout.",
    "Exit codes: 0 done, 1 failed or no such key, 2 wrong command line.",
  ],
} as const;

/** The streams that a command writes to. The key alone goes to `print`. */
export interface Output {
  readonly print: (text: string) => void;
  readonly warn: (text: string) => void;
}

const dayMs = 86_400_000;
const most = 1_000;

/** Does what a command line says, at the time `now`. Returns the exit code. */
export async function run(
  { words: [word, ...rest], values }: Line<typeof spec.options>,
  { print, warn }: Output,
  now: number,
): Promise<number> {
  const { subject, scopes, note, file } = values;
  if (word !== "new" && (subject ?? scopes ?? note) !== undefined) {
    throw new UsageError("--subject, --scopes and --note belong to new");
  }
  if (word === "new" && rest.length === 0) {
    const { key, entry } = keyOf(values, now);
    await changeKeys(file, (keys) => {
      if (keys.length >= most) throw new Error(`${file} has ${most} keys, the most: revoke one first`);
      return [...keys, entry];
    });
    print(key);
    warn(`${entry.id} ends at ${entry.until}; ${file} has its digest, and nothing shows the key again`);
    return 0;
  }
  if (word === "list" && rest.length === 0) {
    const keys = await readKeys(file);
    for (const line of linesOf(keys, now)) print(line);
    return 0;
  }
  if (word === "revoke" && rest.length === 1) {
    // The audit log has an id with its prefix.
    const id = rest[0]?.replace(/^plk_/, "") ?? "";
    let isThere = false;
    await changeKeys(file, (keys) => {
      isThere = keys.some((key) => key.id === id);
      return keys.filter((key) => key.id !== id);
    });
    warn(isThere ? `${id} is revoked` : `${file} has no key with this id: npm run keys -- list shows them`);
    return isThere ? 0 : 1;
  }
  throw new UsageError("the command is new, list, or revoke with one id");
}

/** Returns a new key and its entry. Throws a UsageError that names the wrong option. */
function keyOf({ subject, scopes, note, days }: Line<typeof spec.options>["values"], now: number) {
  if (subject === undefined || scopes === undefined) throw new UsageError("new needs --subject and --scopes");
  const { text: key, id, digest } = newApiKey();
  const entry: Keys[number] = {
    id,
    digest,
    subject,
    scopes: scopes.split(" ").filter((word) => word !== ""),
    created: new Date(now).toISOString(),
    until: new Date(now + days * dayMs).toISOString(),
    ...(note !== undefined && { note }),
  };
  const [issue] = ApiKeysFile.safeParse({ keys: [entry] }).error?.issues ?? [];
  if (issue !== undefined) throw new UsageError(`--${String(issue.path[2])}: ${issue.message}`);
  return { key, entry };
}

function linesOf(keys: Keys, now: number): string[] {
  const rows = keys
    .toSorted((one, other) => Date.parse(one.until) - Date.parse(other.until))
    .map(({ id, subject, scopes, until, note = "" }) => {
      const left = Date.parse(until) - now;
      return [id, subject, scopes.join(" "), until, left <= 0 ? "ended" : `${Math.ceil(left / dayMs)}`, note];
    });
  const table = [["ID", "SUBJECT", "SCOPES", "UNTIL", "DAYS", "NOTE"], ...rows];
  const widths = table[0]?.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0))) ?? [];
  return table.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}
