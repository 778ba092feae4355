import { ServiceError } from "@plumbline/errors";
import type { Logger } from "@plumbline/telemetry";
import kafkajs, { type AclEntry, type AclOperationTypes, type AclResourceTypes } from "kafkajs";
import type { Rights } from "../rights.ts";
import { fromKafka, hasCode } from "./errors.ts";
import { createKafka } from "./kafkajs/client.ts";
import { groupIdOf } from "./membership.ts";
import type { KafkaOptions } from "./options.ts";

const { AclOperationTypes: operations, AclResourceTypes: resources } = kafkajs;

/**
 * Adds the ACLs of a service's user: what it publishes, and what it consumes. Takes nothing away,
 * because the version before still runs during a rollout. The user of `options` must be allowed to
 * change ACLs, and the broker must have an authorizer. Always by kafkajs: the other client has no
 * call for it.
 */
export async function grantOnKafka(options: KafkaOptions, user: string, rights: Rights, logger: Logger): Promise<void> {
  const admin = createKafka(options, logger).admin();
  try {
    await admin.connect();
    await admin.createAcls({ acl: aclsOf(user, rights) });
  } catch (error) {
    if (hasCode(error, "SECURITY_DISABLED")) {
      const text = "Kafka takes no ACLs: set authorizer.class.name of the brokers, or leave out messaging.role";
      throw new ServiceError("failed_precondition", text, { reason: "KAFKA_WITHOUT_ACLS", cause: error });
    }
    throw fromKafka(error, "", options);
  } finally {
    await admin.disconnect();
  }
}

/** Returns the ACLs of a user. */
export function aclsOf(user: string, { publishes, consumes }: Rights): AclEntry[] {
  const allow = (
    resourceType: AclResourceTypes,
    resourceName: string,
    allowed: readonly AclOperationTypes[],
  ): AclEntry[] =>
    allowed.map((operation) => ({
      resourceType,
      resourceName,
      resourcePatternType: kafkajs.ResourcePatternTypes.LITERAL,
      principal: `User:${user}`,
      host: "*",
      operation,
      permissionType: kafkajs.AclPermissionTypes.ALLOW,
    }));
  // The inbox asks how long each topic keeps its messages, the dead letters included.
  const describe = [operations.DESCRIBE, operations.DESCRIBE_CONFIGS];
  return [
    ...publishes.flatMap((topic) => allow(resources.TOPIC, topic, [operations.WRITE, ...describe])),
    ...consumes.flatMap(({ topic, group }) => [
      ...allow(resources.TOPIC, topic, [operations.READ, ...describe]),
      ...allow(resources.GROUP, groupIdOf(topic, group), [operations.READ, operations.DESCRIBE]),
    ]),
  ];
}
