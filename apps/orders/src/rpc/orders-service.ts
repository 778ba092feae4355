import { createHash } from "node:crypto";
import { deadline } from "@plumbline/concurrency";
import { type Order as OrderMessage, OrdersService, PlaceOrderRequest } from "@plumbline/contracts";
import { codeOf, ServiceError } from "@plumbline/errors";
import { type ServiceImplementation, service } from "@plumbline/rpc";
import { toOrderMessage } from "../order-message.ts";
import { cancelOrder } from "../use-cases/cancel-order.ts";
import { getOrder } from "../use-cases/get-order.ts";
import { listOrders } from "../use-cases/list-orders.ts";
import { placeOrder } from "../use-cases/place-order.ts";
import type { Ports } from "../use-cases/ports.ts";
import { watchOrder } from "../use-cases/watch-order.ts";
import { toServiceError } from "./errors.ts";

/** OrdersService over the use cases: each call's signal reaches every statement made for it. */
export function ordersService(ports: Ports): ServiceImplementation {
  return service(OrdersService, {
    placeOrder: (request, { metadata, signal }) => {
      const idempotencyKey = metadata.get("idempotency-key");
      const requestHash = createHash("sha256").update(PlaceOrderRequest.encode(request).finish()).digest();
      const place = async () =>
        toOrderMessage(await placeOrder(ports, request, { signal, idempotencyKey, requestHash }));
      return named(idempotencyKey === undefined ? place : () => repeatable(place));
    },

    getOrder: ({ orderId }, { signal }) =>
      named(async () => toOrderMessage(await getOrder(ports, orderId, { signal }))),

    listOrders: (query, { signal }) =>
      named(async () => {
        const page = await listOrders(ports, query, { signal });
        return { orders: page.orders.map(toOrderMessage), nextPageToken: page.nextPageToken };
      }),

    cancelOrder: ({ orderId }, { signal }) =>
      named(() => repeatable(async () => toOrderMessage(await cancelOrder(ports, orderId, { signal })))),

    async *watchOrder(request, call): AsyncGenerator<OrderMessage, void> {
      using age = deadline(ports.settings().watch.maxAgeMs, { signal: call.signal });
      try {
        for await (const order of watchOrder(ports, request, { signal: age.signal })) yield toOrderMessage(order);
      } catch (error) {
        // Ending well says that the order has ended; this one may not have.
        if (age.signal.aborted && !call.signal.aborted) {
          throw new ServiceError("unavailable", "the stream has reached its age: watch again from the last version", {
            reason: "WATCH_EXPIRED",
          });
        }
        throw toServiceError(error);
      }
    },
  });
}

async function named<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toServiceError(error);
  }
}

/** A change that may be asked for twice: when its outcome is not known, asking again tells. Of others only a person can judge. */
async function repeatable<T>(change: () => Promise<T>): Promise<T> {
  try {
    return await change();
  } catch (error) {
    if (codeOf(error) !== "unknown") throw error;
    throw new ServiceError("unavailable", "whether the change was made is not known: send the same request again", {
      reason: "OUTCOME_UNKNOWN",
      cause: error,
    });
  }
}
