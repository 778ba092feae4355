import { aborted } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import type { Health } from "@plumbline/lifecycle";
import { HealthDefinition, HealthCheckResponse_ServingStatus as servingStatus } from "../gen/grpc/health/v1/health.ts";
import { type ServiceImplementation, service } from "./service.ts";

const always: Pick<Health, "status" | "watch"> = {
  status: async () => "SERVING",
  async *watch({ signal } = {}) {
    yield "SERVING";
    if (signal) await aborted(signal);
  },
};

/**
 * Returns grpc.health.v1 for the server as a whole ("") and for each service by name: they are
 * ready together.
 */
export function healthService(
  health: Pick<Health, "status" | "watch"> = always,
  services: readonly ServiceImplementation[],
): ServiceImplementation {
  const known = new Set(["", ...services.map(({ name }) => name)]);
  return service(HealthDefinition, {
    async check({ service }, { signal }) {
      if (!known.has(service)) throw new ServiceError("not_found", "unknown service");
      return { status: servingStatus[await health.status({ signal })] };
    },
    async *watch({ service }, { signal }) {
      // The protocol keeps the stream open, since the service may be added later. Here none ever
      // is.
      if (!known.has(service)) yield { status: servingStatus.SERVICE_UNKNOWN };
      for await (const status of health.watch({ signal })) {
        if (known.has(service)) yield { status: servingStatus[status] };
      }
    },
  });
}
