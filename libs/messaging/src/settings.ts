/** What a settings schema needs of this library, without loading the rest of it. */
export { defaultKafkaClient, type KafkaClientName, kafkaClients } from "./kafka/options.ts";
