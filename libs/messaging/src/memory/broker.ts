import { noTelemetry, type Telemetry } from "@plumbline/telemetry";
import type { Broker } from "../broker.ts";
import { type Backlog, createBacklog, isStuck } from "../consuming/backlog.ts";
import { consumerGauges } from "../consuming/consumer-gauges.ts";
import { closedError } from "../errors.ts";
import { defaultMaxMessageBytes, defaultRetentionMs, refuseLarge } from "../limits.ts";
import type { Message } from "../message.ts";
import { MemoryLog } from "./log.ts";
import { type Member, MemoryGroup } from "./membership.ts";

/** The settings of a broker in memory. */
export interface MemoryBrokerOptions {
  /**
   * The log of the messages. Brokers that share a log are one system. Default: a log of its own.
   */
  readonly log?: MemoryLog | undefined;
  readonly maxMessageBytes?: number | undefined;
}

/**
 * Opens a broker within this process, for tests. It passes the conformance suite. Messages do not
 * survive the process.
 */
export function openMemoryBroker(options: MemoryBrokerOptions = {}, telemetry: Telemetry = noTelemetry): Broker {
  const { log = new MemoryLog(), maxMessageBytes = defaultMaxMessageBytes } = options;
  const subscriptions = new Set<AsyncDisposable>();
  const backlogs = new Set<Backlog>();
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
          backlogs.delete(backlog);
          subscriptions.delete(subscription);
          return (left ??= leave(log, topic, member));
        },
      };
      subscriptions.add(subscription);
      backlogs.add(backlog);
      // Not awaited: joining waits for other members to hand over, which may take as long as their
      // handlers run.
      void groupOf(log, topic, group).join(member);
      return subscription;
    },

    async ping({ signal } = {}) {
      whileOpen(signal);
    },

    get isStuck() {
      return backlogs.values().some(isStuck);
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

/** Returns a copy, because the publisher may reuse its buffer and the log would change with it. */
function copy(message: Message): Message {
  return { ...message, data: Uint8Array.from(message.data), headers: { ...message.headers } };
}

/**
 * The groups of each log. Brokers on one log share them, and a group exists only while it has
 * members.
 */
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
