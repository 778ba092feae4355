import type { Abortable } from "@plumbline/concurrency";
import { deadTopic, sizeOf } from "@plumbline/messaging";
import type { Inspector, LogEntry } from "@plumbline/messaging/inspect";
import { placeOf, readReplayed } from "./replayed.ts";

export const maxLimit = 1_000;
/** Of dead letters in memory at once, beside the limit of their number. */
const maxBytes = 64_000_000;

export interface Filter {
  readonly topic?: string | undefined;
  readonly group?: string | undefined;
  readonly type?: string | undefined;
  readonly key?: string | undefined;
  readonly id?: string | undefined;
  readonly since?: Date | undefined;
  readonly limit: number;
  /** Also those that were replayed. */
  readonly replayed: boolean;
}

export interface DeadLetter extends LogEntry {
  /** Where the message was published first, and the group that gave it up. */
  readonly origin: string;
  readonly group: string;
  readonly attempts: number;
  readonly code: string;
  readonly error: string;
  readonly failedAt: Date;
  readonly replayed: boolean;
}

export interface Found {
  /** The oldest failures first. */
  readonly letters: readonly DeadLetter[];
  /** How many match; more than there are letters where the limit cut them off. */
  readonly matching: number;
}

/** Reads every dead-letter topic that can hold a match, and keeps no more than the limit. */
export async function findDeadLetters(inspector: Inspector, filter: Filter, options: Abortable): Promise<Found> {
  const names = (await inspector.topics(options)).map(({ name }) => name);
  const dead = names.filter((name) => mayHold(name, filter));
  const replayed = await readReplayed(inspector, dead, names, options);
  let kept: DeadLetter[] = [];
  let [matching, bytes] = [0, 0];
  const visit = (entry: LogEntry): void => {
    const letter = toDeadLetter(entry, replayed.has(placeOf(entry)));
    if (letter === undefined || !matches(letter, filter)) return;
    matching++;
    bytes += sizeOf(letter.message);
    kept.push(letter);
    if (kept.length < 2 * filter.limit && bytes < 2 * maxBytes) return;
    kept = oldest(kept, filter.limit);
    bytes = kept.reduce((sum, { message }) => sum + sizeOf(message), 0);
  };
  await inspector.read(dead, visit, options);
  return { letters: oldest(kept, filter.limit), matching };
}

function mayHold(name: string, { topic, group }: Filter): boolean {
  if (topic !== undefined && group !== undefined) return name === deadTopic(topic, group);
  return name.endsWith(group === undefined ? ".dead" : `.${group}.dead`) && name.startsWith(topic ?? "");
}

/** Undefined for a message that no group gave up: somebody else's topic whose name ends the same. */
function toDeadLetter(entry: LogEntry, replayed: boolean): DeadLetter | undefined {
  const { headers } = entry.message;
  const { "plumbline-topic": origin, "plumbline-group": group } = headers;
  if (origin === undefined || group === undefined || deadTopic(origin, group) !== entry.topic) return undefined;
  return {
    ...entry,
    origin,
    group,
    attempts: Number(headers["plumbline-attempts"] ?? 0),
    code: headers["plumbline-error-code"] ?? "unknown",
    error: headers["plumbline-error"] ?? "",
    failedAt: new Date(headers["plumbline-failed-at"] ?? 0),
    replayed,
  };
}

function matches(letter: DeadLetter, filter: Filter): boolean {
  const { message } = letter;
  return (
    (filter.topic === undefined || letter.origin === filter.topic) &&
    (filter.group === undefined || letter.group === filter.group) &&
    (filter.type === undefined || message.type === filter.type) &&
    (filter.key === undefined || message.key === filter.key) &&
    (filter.id === undefined || message.id === filter.id) &&
    (filter.since === undefined || letter.failedAt >= filter.since) &&
    (filter.replayed || !letter.replayed)
  );
}

function oldest(letters: readonly DeadLetter[], limit: number): DeadLetter[] {
  let bytes = 0;
  // A stable sort, so letters of one key and one moment stay in the order of their offsets.
  const sorted = letters.toSorted((a, b) => a.failedAt.getTime() - b.failedAt.getTime()).slice(0, limit);
  const tooMany = sorted.findIndex(({ message }, i) => (bytes += sizeOf(message)) > maxBytes && i > 0);
  return tooMany < 0 ? sorted : sorted.slice(0, tooMany);
}
