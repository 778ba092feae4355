/** A connection that is lost during COMMIT: the change was made, but its outcome is unknown. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import test from "node:test";
import { isServiceError, ServiceError } from "@plumbline/errors";
import type { Orders } from "../src/use-cases/ports.ts";
import { newCustomer } from "./builders.ts";
import { openMemoryContext } from "./memory-context.ts";
import { runService } from "./service.ts";

/** Runs a service that makes all changes, and reports the first of each kind as a lost COMMIT. */
async function runForgetful() {
  const context = await openMemoryContext();
  const forgotten = new Set<string>();
  const orders = new Proxy(context.orders, {
    get(target, name: keyof Orders) {
      const method = target[name] as (...values: unknown[]) => Promise<unknown>;
      return async (...values: unknown[]) => {
        const result = await method.apply(target, values);
        if (!["add", "change"].includes(name) || forgotten.has(name)) return result;
        forgotten.add(name);
        throw new ServiceError("unknown", "the connection was lost during COMMIT");
      };
    },
  });
  return await runService({ ...context, orders, [Symbol.asyncDispose]: () => context[Symbol.asyncDispose]() });
}

const outcome = (call: Promise<unknown>) =>
  call.then(
    () => "answered",
    (error: unknown) => (isServiceError(error) ? `${error.code} ${error.reason ?? ""}`.trim() : String(error)),
  );

test("an order placed with a key, but without a known outcome, is unavailable; a repeat returns it", async () => {
  await using running = await runForgetful();
  const request = { customerId: newCustomer(), items: [{ sku: "tea", quantity: 1 }] };
  const metadata = { "idempotency-key": randomUUID() };
  assert.equal(await outcome(running.client.placeOrder(request, { metadata })), "unavailable OUTCOME_UNKNOWN");
  const { id } = await running.client.placeOrder(request, { metadata });
  const { orders } = await running.client.listOrders({
    customerId: request.customerId,
    pageSize: 0,
    pageToken: "",
  });
  assert.deepEqual(
    orders.map((order) => order.id),
    [id],
  );
});

test("without a key the outcome stays unknown, so that no client retries it", async () => {
  await using running = await runForgetful();
  const request = { customerId: newCustomer(), items: [{ sku: "tea", quantity: 1 }] };
  assert.equal(await outcome(running.client.placeOrder(request)), "unknown");
});

test("a cancel without a known outcome is unavailable, and a repeat succeeds", async () => {
  await using running = await runForgetful();
  const request = { customerId: newCustomer(), items: [{ sku: "tea", quantity: 1 }] };
  const metadata = { "idempotency-key": randomUUID() };
  await outcome(running.client.placeOrder(request, { metadata }));
  const { id: orderId } = await running.client.placeOrder(request, { metadata });
  assert.equal(await outcome(running.client.cancelOrder({ orderId })), "unavailable OUTCOME_UNKNOWN");
  assert.equal(await outcome(running.client.cancelOrder({ orderId })), "answered");
});
