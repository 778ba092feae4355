import { readFileSync } from "node:fs";
import { type DeadLetterFilter, maxDeadLetters } from "@plumbline/messaging/dead-letters";
import type { InspectorOptions } from "@plumbline/messaging/inspect";
import { defaultKafkaClient, kafkaClients, saslMechanisms } from "@plumbline/messaging/settings";
import { defaultPorts } from "@plumbline/tools-stack";
import { choice, flag, type Line, oneOf, text, UsageError, whole } from "@plumbline/tools-stack/command";

export interface Command {
  readonly name: "dlq list" | "dlq show" | "dlq replay" | "lag";
  readonly connection: InspectorOptions;
  readonly filter: DeadLetterFilter;
  readonly dryRun: boolean;
  readonly json: boolean;
  readonly timeoutMs: number;
}

const names = ["dlq list", "dlq show", "dlq replay", "lag"] as const;

/** The stack that `npm start` runs. */
const stack = {
  url: `postgresql://messaging@127.0.0.1:${defaultPorts.postgres}/messaging`,
  brokers: `127.0.0.1:${defaultPorts.kafka}`,
};

export const spec = {
  name: "npm run events",
  about: "Shows and replays dead letters, and shows how far each group is behind.",
  words: {
    "dlq list": "dead letters that were not replayed yet, the oldest failure first",
    "dlq show ID": "everything about the dead letters of one message",
    "dlq replay": "sends dead letters to their group again, ids kept; a second replay sends nothing",
    lag: "how far each group is behind",
  },
  take: "free",
  wordsAs: "COMMAND",
  options: {
    topic: text("only of the topic that the message was published to", { takes: "T" }),
    group: text("only of this group", { takes: "G" }),
    type: text("only events of this type", { takes: "X" }),
    key: text("only with this key", { takes: "K" }),
    id: text("only with this id", { takes: "ID" }),
    since: text("only failures at or after this time, such as 2026-11-22T10:00:00Z", { takes: "TIME" }),
    limit: whole("dead letters at most, 100 by default", { least: 1, most: maxDeadLetters }),
    all: flag("list: also those that were replayed"),
    "dry-run": flag("replay: shows what it would do and does nothing"),
    json: flag("one JSON document instead of a table"),
    adapter: choice("carrier of the events", ["postgres", "kafka"], { preset: "postgres" }),
    url: text("database of the postgres adapter (EVENTS_MESSAGING_URL, else that of npm start)", { takes: "URL" }),
    brokers: text("host:port,... (EVENTS_KAFKA_BROKERS, else that of npm start -- --kafka)", { takes: "LIST" }),
    client: choice("client library of the kafka adapter (EVENTS_KAFKA_CLIENT)", kafkaClients),
    timeout: whole("limit for the whole command", { least: 1, most: 3_600, preset: 60, takes: "SECONDS" }),
  },
  notes: [
    "A Kafka with users: EVENTS_KAFKA_SASL_USERNAME, _PASSWORD_FILE and _MECHANISM (scram-sha-512) log in.",
    "Exit codes: 0 done, 1 failed or not found, 2 wrong command line.",
  ],
} as const;

/** Returns the command that a line means. Throws UsageError. */
export function toCommand({ values, words }: Line<typeof spec.options>, environment: NodeJS.ProcessEnv): Command {
  const written = words.slice(0, words[0] === "dlq" ? 2 : 1).join(" ");
  const name = oneOf(written, names, "the command is");
  const rest = words.slice(name.split(" ").length);
  if (name === "dlq show" && rest.length !== 1) throw new UsageError("dlq show takes one message id");
  if (name !== "dlq show" && rest.length > 0) {
    throw new UsageError(`${name} takes no argument, not ${JSON.stringify(rest.join(" "))}`);
  }
  if (values["dry-run"] && name !== "dlq replay") throw new UsageError("--dry-run belongs to dlq replay");
  if (values.all && name !== "dlq list") throw new UsageError("--all belongs to dlq list");
  const { topic, group, type, key, limit = 100 } = values;
  if (name === "lag") {
    const idle = (["type", "key", "id", "since", "limit"] as const).find((option) => values[option] !== undefined);
    if (idle !== undefined) throw new UsageError(`--${idle} does not belong to lag`);
  }
  const since = values.since === undefined ? undefined : time(values.since);
  const id = rest[0] ?? values.id;
  return {
    name,
    connection: connection(values, environment),
    filter: { topic, group, type, key, id, since, limit, replayed: values.all },
    dryRun: values["dry-run"],
    json: values.json,
    timeoutMs: values.timeout * 1_000,
  };
}

function connection(
  { adapter, url, brokers, client }: Line<typeof spec.options>["values"],
  environment: NodeJS.ProcessEnv,
): InspectorOptions {
  if (adapter === "postgres") {
    if (brokers !== undefined) throw new UsageError("--brokers belongs to --adapter kafka");
    if (client !== undefined) throw new UsageError("--client belongs to --adapter kafka");
    return { adapter, url: url ?? environment["EVENTS_MESSAGING_URL"] ?? stack.url };
  }
  if (url !== undefined) throw new UsageError("--url belongs to --adapter postgres");
  const list = brokers ?? environment["EVENTS_KAFKA_BROKERS"] ?? stack.brokers;
  const name = client ?? environment["EVENTS_KAFKA_CLIENT"] ?? defaultKafkaClient;
  return {
    adapter,
    client: oneOf(name, kafkaClients, "EVENTS_KAFKA_CLIENT takes"),
    brokers: list.split(",").map((broker) => broker.trim()),
    sasl: login(environment),
  };
}

/**
 * Returns the user of Kafka, if the environment names one. The password is in a file, as for the
 * services, so that no list of processes shows it.
 */
function login(environment: NodeJS.ProcessEnv) {
  const username = environment["EVENTS_KAFKA_SASL_USERNAME"] ?? "";
  const file = environment["EVENTS_KAFKA_SASL_PASSWORD_FILE"] ?? "";
  if (username === "" && file === "") return undefined;
  if (username === "" || file === "") {
    throw new UsageError("EVENTS_KAFKA_SASL_USERNAME and EVENTS_KAFKA_SASL_PASSWORD_FILE belong together");
  }
  const written = environment["EVENTS_KAFKA_SASL_MECHANISM"] ?? "scram-sha-512";
  const mechanism = oneOf(written, saslMechanisms, "EVENTS_KAFKA_SASL_MECHANISM takes");
  try {
    return { mechanism, username, password: readFileSync(file, "utf8").replace(/\r?\n$/, "") };
  } catch (error) {
    throw new UsageError(`EVENTS_KAFKA_SASL_PASSWORD_FILE: ${(error as Error).message}`);
  }
}

function time(written: string): Date {
  const value = new Date(written);
  if (!Number.isNaN(value.getTime())) return value;
  throw new UsageError(`--since takes a time such as 2026-11-22T10:00:00Z, not ${JSON.stringify(written)}`);
}
