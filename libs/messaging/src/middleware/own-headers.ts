import type { Middleware } from "../broker.ts";
import { ownHeader } from "../message.ts";
import { originOfRetryTopic } from "../topics.ts";
import { failureHeaders } from "./failed-delivery.ts";
import { dueHeader } from "./retried-later.ts";

const ofRetryTopics: ReadonlySet<string> = new Set([...Object.values(failureHeaders), dueHeader]);

/**
 * Drops the headers of this library from messages that the library did not write. Only the group's
 * own retry topics hold messages with such headers, and only those that it sets itself. Everywhere
 * else a stranger wrote them.
 */
export const withoutForgedHeaders: Middleware = (next) => async (delivery) => {
  const { topic, group, message } = delivery;
  const isRetry = originOfRetryTopic(topic, group) !== undefined;
  const isForged = (name: string) => name.startsWith(ownHeader) && !(isRetry && ofRetryTopics.has(name));
  if (!Object.keys(message.headers).some(isForged)) return await next(delivery);
  const headers = Object.fromEntries(Object.entries(message.headers).filter(([name]) => !isForged(name)));
  return await next({ ...delivery, message: { ...message, headers } });
};
