import { sleep } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import type { Address, Resolver } from "@plumbline/rpc/discovery";
import { z } from "zod";
import { type Consul, type ConsulAnswer, jsonOf } from "./consul.ts";
import { type WatchOptions, watchQuery } from "./watch-query.ts";

const Instances = z.array(
  z.object({
    Node: z.object({ Address: z.string() }),
    Service: z.object({ Address: z.string(), Port: z.int().min(0).max(65_535) }),
  }),
);

/** The least time from a failure to the next request, plus up to a half of it. */
const pauseMs = 1_000;

/**
 * Returns a resolver of "consul:///orders": the instances of the service whose checks all pass. The
 * authority names a datacenter: "consul://dc2/orders". Any server may answer, also one without a
 * leader, because old addresses are better than none.
 */
export function consulResolver(consul: Consul, options: Pick<WatchOptions, "waitMs"> = {}): Resolver {
  let failedAt = Number.NEGATIVE_INFINITY;
  return {
    scheme: "consul",
    example: "consul:///service",
    check({ name }) {
      if (/^[^\s/?#:,]+$/.test(name)) return;
      throw new ServiceError("invalid_argument", 'expected "consul:///service", without a port: Consul knows it');
    },
    async *watch({ authority, name }, signal) {
      // The caller may watch again at once.
      const pause = failedAt + pauseMs * (1 + Math.random() / 2) - performance.now();
      if (pause > 0) await sleep(pause, { signal });
      const path = `/v1/health/service/${encodeURIComponent(name)}`;
      const query = {
        path,
        query: { passing: "1", stale: "", ...(authority !== "" && { dc: authority }) },
        parse: (answer: ConsulAnswer) => addressesOf(answer, `GET ${consul.url}${path}`, name),
      };
      const onFault = (error: unknown, hasAnswer: boolean): void => {
        if (hasAnswer) return;
        failedAt = performance.now();
        throw error;
      };
      yield* watchQuery(consul, query, { ...options, signal, onFault });
    },
  };
}

function addressesOf(answer: ConsulAnswer, what: string, name: string): readonly Address[] {
  // To a token without the right to read the service the answer is an empty list, not an error.
  if (answer.header("x-consul-results-filtered-by-acls") === "true") {
    throw new ServiceError("permission_denied", `${what}: the token may not read the service ${name} or its nodes`);
  }
  const instances = Instances.safeParse(jsonOf(answer, what));
  if (!instances.success) {
    throw new ServiceError("unavailable", `${what}: the answer is no list of instances`, { cause: instances.error });
  }
  return instances.data.map(({ Node, Service }) => ({
    host: Service.Address === "" ? Node.Address : Service.Address,
    port: Service.Port,
  }));
}
