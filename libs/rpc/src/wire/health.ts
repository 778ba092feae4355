/** grpc.health.v1, as grpc/health/v1/health.proto has it. */

import { methodOf } from "./method.ts";
import { defineFile, field, messageOf } from "./schema.ts";

export const healthFile = defineFile({
  name: "grpc/health/v1/health.proto",
  package: "grpc.health.v1",
  messageType: [
    { name: "HealthCheckRequest", field: [field(1, "service", "string")] },
    {
      name: "HealthCheckResponse",
      field: [field(1, "status", "enum .grpc.health.v1.HealthCheckResponse.ServingStatus")],
      enumType: [
        {
          name: "ServingStatus",
          value: [
            { name: "UNKNOWN", number: 0 },
            { name: "SERVING", number: 1 },
            { name: "NOT_SERVING", number: 2 },
            { name: "SERVICE_UNKNOWN", number: 3 },
          ],
        },
      ],
    },
  ],
  service: [
    {
      name: "Health",
      method: [
        {
          name: "Check",
          inputType: ".grpc.health.v1.HealthCheckRequest",
          outputType: ".grpc.health.v1.HealthCheckResponse",
        },
        {
          name: "Watch",
          inputType: ".grpc.health.v1.HealthCheckRequest",
          outputType: ".grpc.health.v1.HealthCheckResponse",
          serverStreaming: true,
        },
      ],
    },
  ],
});

export const servingStatus = { SERVING: 1, NOT_SERVING: 2, SERVICE_UNKNOWN: 3 } as const;

const Request = messageOf<{ service: string }>(healthFile, "HealthCheckRequest");
const Response = messageOf<{ status: number }>(healthFile, "HealthCheckResponse");

/** The standard health protocol. `createClient(HealthService, channel)` asks another server. */
export const HealthService = {
  check: methodOf("/grpc.health.v1.Health/Check", Request, Response, { requestStream: false, responseStream: false }),
  watch: methodOf("/grpc.health.v1.Health/Watch", Request, Response, { requestStream: false, responseStream: true }),
} as const;
