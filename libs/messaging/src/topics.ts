/** Returns the topic for messages that a group failed to handle: `orders.events.worker.dead`. */
export function deadTopic(topic: string, group: string): string {
  return `${topic}.${group}.dead`;
}

/** Returns the topic where a group's messages wait for a retry: `orders.events.worker.retry.1m`. */
export function retryTopic(topic: string, group: string, delayMs: number): string {
  return `${retryTopicPrefix(topic, group)}${formatDelay(delayMs)}`;
}

/** Returns the start of the names of a group's retry topics. The delay follows. */
export function retryTopicPrefix(topic: string, group: string): string {
  return `${topic}.${group}.retry.`;
}

/**
 * Returns the topic whose failed messages a retry topic of this group holds. Returns undefined if
 * the topic is no retry topic of the group.
 */
export function originOfRetryTopic(topic: string, group: string): string | undefined {
  const at = topic.lastIndexOf(retryTopicPrefix("", group));
  return at > 0 && delayOfRetryTopic(topic, group) !== undefined ? topic.slice(0, at) : undefined;
}

/**
 * Returns the delay of a retry topic of this group. Returns undefined for every other topic.
 */
export function delayOfRetryTopic(topic: string, group: string): number | undefined {
  const infix = retryTopicPrefix("", group);
  const at = topic.lastIndexOf(infix);
  return at > 0 ? parseDelay(topic.slice(at + infix.length)) : undefined;
}

/**
 * Returns the topics that `subscribeWithRetries` publishes to. They must be created together with
 * the topic itself.
 */
export function retryAndDeadLetterTopics(topic: string, group: string, delaysMs: readonly number[] = []): string[] {
  return [...delaysMs.map((delayMs) => retryTopic(topic, group, delayMs)), deadTopic(topic, group)];
}

/**
 * Returns true if Kafka allows the name. The rule holds in every adapter, so that a topic can move
 * between them.
 */
export function isTopicName(name: string): boolean {
  return /^[a-zA-Z0-9._-]{1,249}$/.test(name) && name !== "." && name !== "..";
}

/**
 * Returns the milliseconds of a delay in a retry topic's name. Returns undefined if the text is not
 * a delay.
 */
export function parseDelay(text: string): number | undefined {
  const [, count, unit] = /^(\d+)(ms|s|m)$/.exec(text) ?? [];
  return unit === undefined ? undefined : Number(count) * units[unit as keyof typeof units];
}

function formatDelay(delayMs: number): string {
  if (delayMs % units.m === 0) return `${delayMs / units.m}m`;
  if (delayMs % units.s === 0) return `${delayMs / units.s}s`;
  return `${delayMs}ms`;
}

const units = { ms: 1, s: 1_000, m: 60_000 };
