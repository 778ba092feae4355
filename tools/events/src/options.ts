import { parseArgs } from "node:util";
import { type DeadLetterFilter, maxDeadLetters } from "@plumbline/messaging/dead-letters";
import type { InspectorOptions } from "@plumbline/messaging/inspect";

/** What was typed cannot be meant; the message says what can. */
export class UsageError extends Error {}

export interface Command {
  readonly name: "dlq list" | "dlq show" | "dlq replay" | "lag";
  readonly connection: InspectorOptions;
  readonly filter: DeadLetterFilter;
  readonly dryRun: boolean;
  readonly json: boolean;
  readonly timeoutMs: number;
}

export const help = `npm run events -- COMMAND [options]

  dlq list             dead letters that nobody replayed yet, the oldest failure first
  dlq show ID          everything about the dead letters of one message
  dlq replay           gives dead letters to their group once more, ids kept; a second replay sends nothing
  lag                  how far each group is behind

  --topic T, --group G, --type X, --key K, --id ID     only these; T is the topic the message was published to
  --since TIME         only what failed at or after, such as 2026-11-22T10:00:00Z
  --limit N            at most N dead letters (100; up to ${maxDeadLetters})
  --all                list: also those that were replayed
  --dry-run            replay: says what it would do and does nothing
  --json               one JSON document instead of a table
  --adapter A          postgres (default) or kafka
  --url URL            database of the postgres adapter (EVENTS_MESSAGING_URL, else that of npm start)
  --brokers LIST       host:port,... (EVENTS_KAFKA_BROKERS, else that of npm start -- --kafka)
  --timeout SECONDS    for the whole command (60)

Exit code: 0 done, 1 failed or not found, 2 the command line cannot be meant.`;

/** What `npm start` runs. */
const stack = { url: "postgresql://messaging@127.0.0.1:54329/messaging", brokers: "127.0.0.1:19092" };

const options = {
  topic: { type: "string" },
  group: { type: "string" },
  type: { type: "string" },
  key: { type: "string" },
  id: { type: "string" },
  since: { type: "string" },
  limit: { type: "string" },
  timeout: { type: "string" },
  adapter: { type: "string" },
  url: { type: "string" },
  brokers: { type: "string" },
  all: { type: "boolean", default: false },
  "dry-run": { type: "boolean", default: false },
  json: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

/** Undefined when help is asked for. Throws UsageError. */
export function parseCommand(args: readonly string[], environment: NodeJS.ProcessEnv): Command | undefined {
  const { values, positionals } = parsed(args);
  if (values.help) return undefined;
  const name = positionals.slice(0, positionals[0] === "dlq" ? 2 : 1).join(" ");
  const rest = positionals.slice(name.split(" ").length);
  if (name !== "dlq list" && name !== "dlq show" && name !== "dlq replay" && name !== "lag") {
    throw new UsageError(`there is no command "${positionals.join(" ")}": dlq list, dlq show, dlq replay, lag`);
  }
  if (name === "dlq show" && rest.length !== 1) throw new UsageError("dlq show takes one message id");
  if (name !== "dlq show" && rest.length > 0)
    throw new UsageError(`${name} takes no argument, got "${rest.join(" ")}"`);
  if (values["dry-run"] && name !== "dlq replay") throw new UsageError("--dry-run belongs to dlq replay");
  if (values.all && name !== "dlq list") throw new UsageError("--all belongs to dlq list");
  const { topic, group, type, key } = values;
  if (name === "lag") {
    const idle = (["type", "key", "id", "since", "limit"] as const).find((option) => values[option]);
    if (idle !== undefined) throw new UsageError(`--${idle} does not belong to lag`);
  }
  const limit = wholeNumber("--limit", values.limit, 100, maxDeadLetters);
  const since = values.since === undefined ? undefined : time(values.since);
  const id = rest[0] ?? values.id;
  return {
    name,
    connection: connection(values, environment),
    filter: { topic, group, type, key, id, since, limit, replayed: values.all },
    dryRun: values["dry-run"],
    json: values.json,
    timeoutMs: wholeNumber("--timeout", values.timeout, 60, 3_600) * 1_000,
  };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
}

function connection(
  { adapter = "postgres", url, brokers }: { adapter?: string; url?: string; brokers?: string },
  environment: NodeJS.ProcessEnv,
): InspectorOptions {
  if (adapter === "postgres") {
    if (brokers !== undefined) throw new UsageError("--brokers belongs to --adapter kafka");
    return { adapter, url: url ?? environment["EVENTS_MESSAGING_URL"] ?? stack.url };
  }
  if (adapter !== "kafka") throw new UsageError(`--adapter takes postgres or kafka, got "${adapter}"`);
  if (url !== undefined) throw new UsageError("--url belongs to --adapter postgres");
  const list = brokers ?? environment["EVENTS_KAFKA_BROKERS"] ?? stack.brokers;
  return { adapter, brokers: list.split(",").map((broker) => broker.trim()) };
}

function wholeNumber(name: string, text: string | undefined, preset: number, most: number): number {
  if (text === undefined) return preset;
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw new UsageError(`${name} takes a whole number from 1 to ${most}, got "${text}"`);
}

function time(text: string): Date {
  const value = new Date(text);
  if (!Number.isNaN(value.getTime())) return value;
  throw new UsageError(`--since takes a time such as 2026-11-22T10:00:00Z, got "${text}"`);
}
