import { createHash } from "node:crypto";
import { deadline } from "@plumbline/concurrency";
import { type Order as OrderMessage, OrdersService, PlaceOrderRequest } from "@plumbline/contracts";
import { codeOf, ServiceError } from "@plumbline/errors";
import { type Call, type ServiceImplementation, service } from "@plumbline/rpc";
import { type OrderId, parseOrderId } from "../domain/order-id.ts";
import { toOrderMessage } from "../order-message.ts";
import { type Caller, customerFor } from "../use-cases/caller.ts";
import { cancelOrder } from "../use-cases/cancel-order.ts";
import { getOrder } from "../use-cases/get-order.ts";
import { listOrders } from "../use-cases/list-orders.ts";
import { placeOrder } from "../use-cases/place-order.ts";
import { OrderNotFoundError, type Ports } from "../use-cases/ports.ts";
import { watchOrder } from "../use-cases/watch-order.ts";
import { toServiceError } from "./errors.ts";

/** Serves OrdersService with the use cases. A call's signal reaches every statement made for it. */
export function ordersService(ports: Ports): ServiceImplementation {
  return service(OrdersService, {
    placeOrder: (request, call) => {
      const { signal, shareKey } = call;
      const caller = callerOf(call);
      const idempotencyKey = call.metadata.get("idempotency-key");
      const place = async () => {
        // With a key, a request that leaves its customer out is the one that names its caller.
        const whole = { ...request, customerId: customerFor(caller, request.customerId) };
        const requestHash = createHash("sha256").update(PlaceOrderRequest.encode(whole).finish()).digest();
        const options = { signal, idempotencyKey, requestHash, shareKey };
        return toOrderMessage(await placeOrder(ports, caller, request, options));
      };
      return mapErrors(idempotencyKey === undefined ? place : () => retryableWhenOutcomeUnknown(place));
    },

    getOrder: ({ orderId }, call) =>
      mapErrors(async () => toOrderMessage(await getOrder(ports, callerOf(call), orderIdOf(orderId), call))),

    listOrders: (query, call) =>
      mapErrors(async () => {
        const page = await listOrders(ports, callerOf(call), query, call);
        return { orders: page.orders.map(toOrderMessage), nextPageToken: page.nextPageToken };
      }),

    cancelOrder: ({ orderId }, call) =>
      mapErrors(async () => {
        const id = orderIdOf(orderId);
        return await retryableWhenOutcomeUnknown(async () =>
          toOrderMessage(await cancelOrder(ports, callerOf(call), id, call)),
        );
      }),

    async *watchOrder({ orderId, afterVersion }, call): AsyncGenerator<OrderMessage, void> {
      using age = deadline(ports.settings().watch.maxAgeMs, { signal: call.signal });
      try {
        const query = { orderId: orderIdOf(orderId), afterVersion };
        for await (const order of watchOrder(ports, callerOf(call), query, { signal: age.signal }))
          yield toOrderMessage(order);
      } catch (error) {
        // A stream that ends without an error means an ended order, which this one may not be.
        if (age.signal.aborted && !call.signal.aborted) {
          throw new ServiceError(
            "unavailable",
            "the stream has reached its maximum age; watch again from the last version",
            {
              reason: "WATCH_EXPIRED",
            },
          );
        }
        throw toServiceError(error);
      }
    },
  });
}

/** The scope of callers whom the orders of all customers are for. */
const operate = "orders:operate";

function callerOf({ principal }: Pick<Call, "principal">): Caller | undefined {
  return principal && { subject: principal.subject, isOperator: principal.scopes.includes(operate) };
}

/** Returns the text as an order id. Throws OrderNotFoundError if it cannot be one. */
function orderIdOf(text: string): OrderId {
  const orderId = parseOrderId(text);
  if (orderId === undefined) throw new OrderNotFoundError("there is no such order");
  return orderId;
}

/** Rejects with the error that callers of the service know. */
async function mapErrors<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toServiceError(error);
  }
}

/**
 * Reports an unknown outcome as `unavailable`, which clients retry. For changes that have one
 * effect however often they are requested.
 */
async function retryableWhenOutcomeUnknown<T>(change: () => Promise<T>): Promise<T> {
  try {
    return await change();
  } catch (error) {
    if (codeOf(error) !== "unknown") throw error;
    throw new ServiceError("unavailable", "the outcome of the change is unknown; send the same request again", {
      reason: "OUTCOME_UNKNOWN",
      cause: error,
    });
  }
}
