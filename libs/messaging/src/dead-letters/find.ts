import type { Abortable } from "@plumbline/concurrency";
import type { Inspector, LogEntry } from "../inspect/inspector.ts";
import { sizeOf } from "../message.ts";
import { countOf, failureHeaders } from "../middleware/failed-delivery.ts";
import { deadTopic } from "../topics.ts";
import { locationOf, readReplayed } from "./replay-markers.ts";

/** The largest `limit` of a filter. */
export const maxDeadLetters = 1_000;
/** The bound on the dead letters in memory at once, beside the limit of their number. */
const maxBytes = 64_000_000;

/** The conditions that a dead letter must meet. A field left out matches every dead letter. */
export interface DeadLetterFilter {
  /** The topic that the message was published to first. */
  readonly topic?: string | undefined;
  /** The group whose delivery failed. */
  readonly group?: string | undefined;
  readonly type?: string | undefined;
  readonly key?: string | undefined;
  readonly id?: string | undefined;
  /** Matches failures at this time and later. */
  readonly since?: Date | undefined;
  /** The most dead letters to return, from 1 to `maxDeadLetters`. */
  readonly limit: number;
  /** Includes dead letters that were replayed. */
  readonly replayed: boolean;
}

/** A message that a group failed to handle, and the failure as its headers describe it. */
export interface DeadLetter extends LogEntry {
  /** The topic that the message was published to first. */
  readonly origin: string;
  /** The group whose delivery failed. */
  readonly group: string;
  readonly attempts: number;
  readonly code: string;
  readonly error: string;
  readonly failedAt: Date;
  readonly replayed: boolean;
}

/** The result of a search for dead letters. */
export interface FoundDeadLetters {
  /** Oldest failure first. */
  readonly letters: readonly DeadLetter[];
  /** The number of matches. It exceeds the number of letters if the limit cut some off. */
  readonly matching: number;
}

/**
 * Returns the dead letters that match, up to the filter's limit and 64 MB. Reads every dead-letter
 * topic that can hold a match.
 */
export async function findDeadLetters(
  inspector: Inspector,
  filter: DeadLetterFilter,
  options: Abortable = {},
): Promise<FoundDeadLetters> {
  const names = (await inspector.topics(options)).map(({ name }) => name);
  const deadTopics = names.filter((name) => mayHold(name, filter));
  const replayed = await readReplayed(inspector, deadTopics, names, options);
  let kept: DeadLetter[] = [];
  let [matching, bytes] = [0, 0];
  const visit = (entry: LogEntry): void => {
    const letter = toDeadLetter(entry, replayed.has(locationOf(entry)));
    if (letter === undefined || !matches(letter, filter)) return;
    matching++;
    bytes += sizeOf(letter.message);
    kept.push(letter);
    if (kept.length < 2 * filter.limit && bytes < 2 * maxBytes) return;
    kept = oldest(kept, filter.limit);
    bytes = kept.reduce((sum, { message }) => sum + sizeOf(message), 0);
  };
  await inspector.read(deadTopics, visit, options);
  return { letters: oldest(kept, filter.limit), matching };
}

function mayHold(name: string, { topic, group }: DeadLetterFilter): boolean {
  if (topic !== undefined && group !== undefined) return name === deadTopic(topic, group);
  return name.endsWith(group === undefined ? ".dead" : `.${group}.dead`) && name.startsWith(topic ?? "");
}

/** Returns undefined for a message of an unrelated topic whose name also ends in ".dead". */
function toDeadLetter(entry: LogEntry, replayed: boolean): DeadLetter | undefined {
  const { headers } = entry.message;
  const origin = headers[failureHeaders.topic];
  const group = headers[failureHeaders.group];
  if (origin === undefined || group === undefined || deadTopic(origin, group) !== entry.topic) return undefined;
  return {
    ...entry,
    origin,
    group,
    attempts: countOf(headers[failureHeaders.attempts]),
    code: headers[failureHeaders.code] ?? "unknown",
    error: headers[failureHeaders.error] ?? "",
    failedAt: dateOf(headers[failureHeaders.time]),
    replayed,
  };
}

/**
 * Returns the date in a header. A text that no failure can have written counts as 1970, so that
 * such a letter is listed first and can be replayed: anyone who may publish can write any header.
 */
function dateOf(text = ""): Date {
  const date = new Date(text);
  return /^\d{4}-/.test(text) && !Number.isNaN(date.getTime()) ? date : new Date(0);
}

function matches(letter: DeadLetter, filter: DeadLetterFilter): boolean {
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
  const sorted = letters.toSorted(byAge).slice(0, limit);
  const tooMany = sorted.findIndex(({ message }, i) => (bytes += sizeOf(message)) > maxBytes && i > 0);
  return tooMany < 0 ? sorted : sorted.slice(0, tooMany);
}

/** Orders failures of the same moment by their places, so that each search finds the same. */
function byAge(a: DeadLetter, b: DeadLetter): number {
  const ms = a.failedAt.getTime() - b.failedAt.getTime();
  if (ms !== 0) return ms;
  if (a.topic !== b.topic) return a.topic < b.topic ? -1 : 1;
  return a.partition - b.partition || Number(a.offset - b.offset);
}
