import type { Flags } from "@plumbline/flags";
import type { Rollouts } from "./use-cases/ports.ts";

const usualPageSize = 20;
/** The bound of the proto. */
const largestPageSize = 100;

/** Returns the rollouts that the flags of orders decide. A customer is always in the same share. */
export function rolloutsOf(flags: Pick<Flags, "number">): Rollouts {
  return {
    pageSize(customerId) {
      const size = flags.number("orders-page-size", usualPageSize, { targetingKey: customerId });
      return Math.min(Math.max(Math.trunc(size) || usualPageSize, 1), largestPageSize);
    },
  };
}
