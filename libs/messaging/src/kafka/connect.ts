import type { Logger } from "@plumbline/telemetry";
import type { KafkaClient } from "./client.ts";
import { defaultKafkaClient, type KafkaOptions } from "./options.ts";

/** Loads each client only if it is chosen, because loading one takes 100 ms. */
const clients = {
  kafkajs: async (options: KafkaOptions, logger: Logger): Promise<KafkaClient> => {
    const { connectKafkajs } = await import("./kafkajs/client.ts");
    return await connectKafkajs(options, logger);
  },
  platformatic: async (options: KafkaOptions): Promise<KafkaClient> => {
    const { connectPlatformatic } = await import("./platformatic/client.ts");
    return await connectPlatformatic(options);
  },
} as const;

/**
 * Connects with the chosen client library. Rejects with the library's own error if no broker
 * responds.
 */
export async function connectKafka(options: KafkaOptions, logger: Logger): Promise<KafkaClient> {
  return await clients[options.client ?? defaultKafkaClient](options, logger);
}
