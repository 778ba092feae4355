/**
 * The record of replays. For each dead letter that was replayed, a small message (a marker) is
 * published to `<topic>.<group>.dead.replayed` once the broker has accepted the replay.
 *
 * A group's committed position cannot hold this record, because filters replay out of order. A
 * marker is written after its dead letter, so with the same retention it outlives it.
 */
import type { Abortable } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import type { Inspector, LogEntry } from "../inspect/inspector.ts";
import { createMessage, type Message } from "../message.ts";

const maxMarkers = 100_000;

/** Returns the name of the topic that holds the markers of a dead-letter topic. */
export function replayedTopic(dead: string): string {
  return `${dead}.replayed`;
}

/**
 * Returns the identity of a dead letter. A message that fails again has another location. The id
 * tells apart two topics of one name, of which the first was deleted.
 */
export function locationOf({ topic, partition, offset, message }: LogEntry): string {
  return `${topic}/${partition}/${offset}/${message.id}`;
}

/** Returns the message that records the replay of a dead letter. */
export function markerFor(letter: LogEntry): Message {
  return createMessage({
    source: "/plumbline/events",
    type: "plumbline.events.Replayed",
    key: letter.message.key,
    contentType: "text/plain",
    data: Buffer.from(locationOf(letter)),
  });
}

/**
 * Returns the locations of all replayed dead letters of these dead-letter topics. Rejects with
 * `resource_exhausted` if there are more than 100,000.
 */
export async function readReplayed(
  inspector: Inspector,
  deadTopics: readonly string[],
  existing: readonly string[],
  options: Abortable,
): Promise<ReadonlySet<string>> {
  const locations = new Set<string>();
  const topics = deadTopics.map(replayedTopic).filter((topic) => existing.includes(topic));
  const visit = ({ message }: LogEntry): void => {
    locations.add(Buffer.from(message.data).toString());
    if (locations.size <= maxMarkers) return;
    throw new ServiceError(
      "resource_exhausted",
      `more than ${maxMarkers} dead letters were replayed: select fewer of them by topic and group`,
    );
  };
  await inspector.read(topics, visit, options);
  return locations;
}
