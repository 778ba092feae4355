import { noTelemetry, type Telemetry } from "@plumbline/telemetry";
import type { Broker } from "../broker.ts";
import { createBacklog } from "../consuming/backlog.ts";
import { consumerGauges } from "../consuming/consumer-gauges.ts";
import { closedError } from "../errors.ts";
import { defaultMaxMessageBytes, defaultRetentionMs, refuseLarge } from "../limits.ts";
import type { Message } from "../message.ts";
import { MemoryLog } from "./log.ts";
import { type Member, MemoryGroup } from "./membership.ts";

export interface MemoryBrokerOptions {
  /** Brokers on one log are one system. A log of its own if left out. */
  readonly log?: MemoryLog | undefined;
  readonly maxMessageBytes?: number | undefined;
}

/** Messages within this process, for tests. Passes the conformance suite; nothing survives the process. */
export function openMemoryBroker(options: MemoryBrokerOptions = {}, telemetry: Telemetry = noTelemetry): Broker {
  const { log = new MemoryLog(), maxMessageBytes = defaultMaxMessageBytes } = options;
  const subscriptions = new Set<AsyncDisposable>();
  let closed = false;
  const whileOpen = (signal?: AbortSignal): void => {
    if (closed) throw closedError();
    signal?.throwIfAborted();
  };

  return {
    async publish(topic, messages, { signal } = {}) {
      whileOpen(signal);
      refuseLarge(messages, maxMessageBytes);
      log.append(topic, messages.map(copy));
    },

    async subscribe(topic, handler, subscribeOptions) {
      whileOpen();
      const backlog = createBacklog(subscribeOptions);
      const member: Member = { topic, options: subscribeOptions, handler, backlog, logger: telemetry.logger };
      const { group } = subscribeOptions;
      const lag = async () => log.lag(topic, group);
      const gauges = consumerGauges(telemetry, { topic, group }, backlog, lag);
      let left: Promise<void> | undefined;
      const subscription: AsyncDisposable = {
        [Symbol.asyncDispose]: () => {
          gauges[Symbol.dispose]();
          subscriptions.delete(subscription);
          return (left ??= leave(log, topic, member));
        },
      };
      subscriptions.add(subscription);
      // Joining waits for the hand-over from other members, which may take as long as their handlers run.
      void groupOf(log, topic, group).join(member);
      return subscription;
    },

    async ping({ signal } = {}) {
      whileOpen(signal);
    },

    async createTopics(topics, { partitions, retentionMs = defaultRetentionMs, signal }) {
      whileOpen(signal);
      for (const topic of topics) log.create(topic, partitions, retentionMs);
    },

    async retentionMs(topic, { signal } = {}) {
      whileOpen(signal);
      return log.retentionMs(topic);
    },

    async [Symbol.asyncDispose]() {
      closed = true;
      await Promise.all([...subscriptions].map((subscription) => subscription[Symbol.asyncDispose]()));
    },
  };
}

/** A sender may use its buffer again, and a log that shares it would change with it. */
function copy(message: Message): Message {
  return { ...message, data: Uint8Array.from(message.data), headers: { ...message.headers } };
}

/** Groups live with their log, so that brokers opened on it share them, and only while they have members. */
const groups = new WeakMap<MemoryLog, Map<string, MemoryGroup>>();

function groupOf(log: MemoryLog, topic: string, name: string): MemoryGroup {
  let ofLog = groups.get(log);
  if (ofLog === undefined) groups.set(log, (ofLog = new Map()));
  const key = JSON.stringify([topic, name]);
  let group = ofLog.get(key);
  if (group === undefined) ofLog.set(key, (group = new MemoryGroup(log, topic, name)));
  return group;
}

async function leave(log: MemoryLog, topic: string, member: Member): Promise<void> {
  const group = groupOf(log, topic, member.options.group);
  await group.leave(member);
  if (!group.isEmpty) return;
  group[Symbol.dispose]();
  groups.get(log)?.delete(JSON.stringify([topic, member.options.group]));
}
