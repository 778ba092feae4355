/** Where a group's messages go when it gives them up: `orders.events.worker.dead`. */
export function deadTopic(topic: string, group: string): string {
  return `${topic}.${group}.dead`;
}

/** Where a group's messages wait for a later try: `orders.events.worker.retry.1m`. */
export function retryTopic(topic: string, group: string, delayMs: number): string {
  return `${topic}.${group}.retry.${spellDelay(delayMs)}`;
}

/** Everything `subscribeWithRetries` writes to besides the topic itself: to create along with it. */
export function retryAndDeadLetterTopics(topic: string, group: string, delaysMs: readonly number[] = []): string[] {
  return [...delaysMs.map((delayMs) => retryTopic(topic, group, delayMs)), deadTopic(topic, group)];
}

/** Kafka's rule, for every adapter, so that a topic can move between them. */
export function isTopicName(name: string): boolean {
  return /^[a-zA-Z0-9._-]{1,249}$/.test(name) && name !== "." && name !== "..";
}

function spellDelay(delayMs: number): string {
  if (delayMs % 60_000 === 0) return `${delayMs / 60_000}m`;
  if (delayMs % 1_000 === 0) return `${delayMs / 1_000}s`;
  return `${delayMs}ms`;
}
