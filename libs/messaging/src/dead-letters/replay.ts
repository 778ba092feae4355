import type { Abortable } from "@plumbline/concurrency";
import type { Broker } from "../broker.ts";
import type { Inspector } from "../inspect/inspector.ts";
import { type Message, ownHeader } from "../message.ts";
import { failureHeaders } from "../middleware/failed-delivery.ts";
import { parseDelay, retryTopicPrefix } from "../topics.ts";
import type { DeadLetter } from "./find.ts";
import { markerFor, replayedTopic } from "./replay-markers.ts";

const batchSize = 100;

/** The dead letters of one group, and the topic that a replay publishes them to. */
export interface ReplayStep {
  /** The dead-letter topic that holds the letters. */
  readonly dead: string;
  readonly target: string;
  readonly letters: readonly DeadLetter[];
  /** True if no group other than the letters' own reads the target. */
  readonly onlyGroup: boolean;
}

/**
 * Selects the target of each dead letter. The target is the group's retry topic with the shortest
 * delay, so that no other group receives the message again. Without one it is the original topic,
 * and the inboxes of the other groups drop the message.
 *
 * A retry topic that the group does not read is never a target, because earlier settings may have
 * left it.
 */
export async function planReplay(
  inspector: Inspector,
  letters: readonly DeadLetter[],
  options: Abortable = {},
): Promise<ReplayStep[]> {
  const names = (await inspector.topics(options)).map(({ name }) => name);
  const steps: ReplayStep[] = [];
  for (const [dead, ofTopic] of Map.groupBy(letters, (letter) => letter.topic)) {
    const { origin, group } = ofTopic[0] as DeadLetter;
    const prefix = retryTopicPrefix(origin, group);
    const delays = new Map<string, number>();
    for (const name of names) {
      const delayMs = name.startsWith(prefix) ? parseDelay(name.slice(prefix.length)) : undefined;
      if (delayMs !== undefined) delays.set(name, delayMs);
    }
    const lags = await inspector.lag([...delays.keys()], options);
    const read = new Set(lags.filter((row) => row.group === group).map(({ topic }) => topic));
    const [shortest] = [...delays].filter(([name]) => read.has(name)).sort(([, a], [, b]) => a - b);
    const target = shortest?.[0] ?? origin;
    steps.push({ dead, target, letters: ofTopic, onlyGroup: shortest !== undefined });
  }
  return steps;
}

/**
 * Publishes the dead letters to their targets and records each one that the broker accepted. If it
 * is interrupted in between, or runs twice at once, a letter may be published twice. The group's
 * inbox drops the second copy.
 */
export async function replayDeadLetters(
  broker: Pick<Broker, "publish" | "createTopics" | "retentionMs">,
  inspector: Inspector,
  steps: readonly ReplayStep[],
  options: Abortable = {},
): Promise<void> {
  const partitions = new Map((await inspector.topics(options)).map((topic) => [topic.name, topic.partitions]));
  for (const { dead, target, letters, onlyGroup } of steps) {
    const markers = replayedTopic(dead);
    const kept = await broker.retentionMs(dead, options);
    const retentionMs = Number.isFinite(kept) ? kept : undefined;
    // Before anything is published: without its record a letter must not be replayed.
    await broker.createTopics([markers], { partitions: partitions.get(dead) ?? 1, retentionMs, ...options });
    for (let at = 0; at < letters.length; at += batchSize) {
      const batch = letters.slice(at, at + batchSize);
      const messages = batch.map((letter) => withoutFailure(letter.message, onlyGroup));
      await broker.publish(target, messages, options);
      await broker.publish(markers, batch.map(markerFor), options);
    }
  }
}

/**
 * Returns the message as it was before it failed, with the same id and source. On a retry topic it
 * keeps the headers that name its original topic and group: members of earlier versions read them.
 */
function withoutFailure(message: Message, onlyGroup: boolean): Message {
  const kept = new Set<string>(onlyGroup ? [failureHeaders.topic, failureHeaders.group] : []);
  const headers = Object.entries(message.headers).filter(([name]) => !name.startsWith(ownHeader) || kept.has(name));
  return { ...message, headers: Object.fromEntries(headers) };
}
