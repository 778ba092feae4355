import type { Abortable } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import { createMessage, type Message } from "@plumbline/messaging";
import type { Inspector, LogEntry } from "@plumbline/messaging/inspect";

/*
 * Which dead letters were replayed is kept in a topic beside them, `<topic>.<group>.dead.replayed`: one small message for
 * each, written once its replay was accepted. A group's position would not do, as filters replay out of order; a marker is
 * written after its dead letter, so with the same retention it is kept longer.
 */

const maxMarkers = 100_000;

export function replayedTopic(dead: string): string {
  return `${dead}.replayed`;
}

/** Names a dead letter for good: a message that fails again lies elsewhere. The id guards against a topic made anew. */
export function placeOf({ topic, partition, offset, message }: LogEntry): string {
  return `${topic}/${partition}/${offset}/${message.id}`;
}

export function toMarker(letter: LogEntry): Message {
  return createMessage({
    source: "/plumbline/events",
    type: "plumbline.events.Replayed",
    key: letter.message.key,
    contentType: "text/plain",
    data: Buffer.from(placeOf(letter)),
  });
}

/** The places of all that were replayed, of those dead-letter topics. */
export async function readReplayed(
  inspector: Inspector,
  dead: readonly string[],
  existing: readonly string[],
  options: Abortable,
): Promise<ReadonlySet<string>> {
  const places = new Set<string>();
  const topics = dead.map(replayedTopic).filter((topic) => existing.includes(topic));
  await inspector.read(
    topics,
    ({ message }) => {
      places.add(Buffer.from(message.data).toString());
      if (places.size > maxMarkers) {
        throw new ServiceError(
          "resource_exhausted",
          `more than ${maxMarkers} dead letters were replayed: narrow it down with --topic and --group`,
        );
      }
    },
    options,
  );
  return places;
}
