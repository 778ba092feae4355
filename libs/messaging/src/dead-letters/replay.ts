import type { Abortable } from "@plumbline/concurrency";
import type { Broker, Message } from "@plumbline/messaging";
import type { Inspector } from "@plumbline/messaging/inspect";
import type { DeadLetter } from "./dead-letters.ts";
import { replayedTopic, toMarker } from "./replayed.ts";

const batchSize = 100;

/** Dead letters of one group and where they go. */
export interface Step {
  readonly dead: string;
  readonly target: string;
  readonly letters: readonly DeadLetter[];
  /** Only the group that gave them up reads the target. */
  readonly onlyGroup: boolean;
}

/**
 * To the group's shortest retry topic that it reads, so that nobody else sees the message again; to the topic itself
 * where there is none, and then the other groups' inboxes hold. A retry topic nobody reads, left by other settings, is
 * never used.
 */
export async function planReplay(
  inspector: Inspector,
  letters: readonly DeadLetter[],
  options: Abortable,
): Promise<Step[]> {
  const names = (await inspector.topics(options)).map(({ name }) => name);
  const steps: Step[] = [];
  for (const [dead, ofTopic] of Map.groupBy(letters, (letter) => letter.topic)) {
    const { origin, group } = ofTopic[0] as DeadLetter;
    const prefix = `${origin}.${group}.retry.`;
    const retries = names.filter((name) => name.startsWith(prefix) && delayOf(name, prefix) !== undefined);
    const read = new Set(
      (await inspector.lag(retries, options)).filter((row) => row.group === group).map(({ topic }) => topic),
    );
    const [retry] = retries
      .filter((name) => read.has(name))
      .sort((a, b) => (delayOf(a, prefix) ?? 0) - (delayOf(b, prefix) ?? 0));
    steps.push({ dead, target: retry ?? origin, letters: ofTopic, onlyGroup: retry !== undefined });
  }
  return steps;
}

/** Publishes, and notes what was accepted. What is cut off in between is sent again by the next replay: the inbox holds. */
export async function replay(
  broker: Broker,
  inspector: Inspector,
  steps: readonly Step[],
  options: Abortable,
): Promise<void> {
  const partitions = new Map((await inspector.topics(options)).map((topic) => [topic.name, topic.partitions]));
  for (const { dead, target, letters, onlyGroup } of steps) {
    const markers = replayedTopic(dead);
    const retentionMs = await broker.retentionMs(dead, options);
    const kept = Number.isFinite(retentionMs) ? retentionMs : undefined;
    // Before anything is sent: where it cannot be remembered nothing is replayed.
    await broker.createTopics([markers], { partitions: partitions.get(dead) ?? 1, retentionMs: kept, ...options });
    for (let at = 0; at < letters.length; at += batchSize) {
      const batch = letters.slice(at, at + batchSize);
      const messages = batch.map((letter) => revived(letter.message, onlyGroup));
      await broker.publish(target, messages, options);
      await broker.publish(markers, batch.map(toMarker), options);
    }
  }
}

/** The same message, id and source kept, as if it had never failed. On a retry topic the layers must know where it is from. */
function revived(message: Message, onlyGroup: boolean): Message {
  const origin = new Set(onlyGroup ? ["plumbline-topic", "plumbline-group"] : []);
  const headers = Object.entries(message.headers).filter(
    ([name]) => !name.startsWith("plumbline-") || origin.has(name),
  );
  return { ...message, headers: Object.fromEntries(headers) };
}

const unitMs = { ms: 1, s: 1_000, m: 60_000 };

/** Of `...retry.1m`; undefined where the rest of the name is no delay. */
function delayOf(name: string, prefix: string): number | undefined {
  const [, count, unit] = /^(\d+)(ms|s|m)$/.exec(name.slice(prefix.length)) ?? [];
  return unit === undefined ? undefined : Number(count) * unitMs[unit as keyof typeof unitMs];
}
