import { retryAndDeadLetterTopics, retryTopic } from "./topics.ts";

/** The rights of one service at a broker. */
export interface Rights {
  readonly publishes: readonly string[];
  readonly consumes: readonly { readonly topic: string; readonly group: string }[];
}

/** A service as its own source describes it. */
export interface Declared {
  /** The topic that it writes. */
  readonly publishes: string;
  /** The topic that it reads with `subscribeWithRetries`, and its group. */
  readonly consumes: { readonly topic: string; readonly group: string };
  readonly retryDelaysMs: readonly number[];
}

/**
 * Returns the rights that follow from what a service publishes and consumes: the retry topics of
 * its group, which it writes and reads, and the dead letters, which it writes.
 */
export function rightsOf({ publishes, consumes: { topic, group }, retryDelaysMs }: Declared): Rights {
  const retries = retryDelaysMs.map((delayMs) => retryTopic(topic, group, delayMs));
  return {
    publishes: [publishes, ...retryAndDeadLetterTopics(topic, group, retryDelaysMs)],
    consumes: [topic, ...retries].map((one) => ({ topic: one, group })),
  };
}
