/** The values that a settings schema needs, without loading the rest of the library. */
export { defaultKafkaClient, type KafkaClientName, kafkaClients, saslMechanisms } from "./kafka/options.ts";
