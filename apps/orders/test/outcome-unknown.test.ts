/** The connection to the database may be lost during COMMIT: the change was made, and nobody was told. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import test from "node:test";
import { isServiceError, ServiceError } from "@plumbline/errors";
import type { Orders } from "../src/use-cases/ports.ts";
import { newCustomer } from "./builders.ts";
import { openMemoryWorld } from "./memory-world.ts";
import { runService } from "./service.ts";

/** A service whose changes are made, and the first of each kind reported as libs/postgres reports a lost COMMIT. */
async function runForgetful() {
  const world = await openMemoryWorld();
  const forgotten = new Set<string>();
  const orders = new Proxy(world.orders, {
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
  return await runService({ ...world, orders, [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() });
}

const outcome = (call: Promise<unknown>) =>
  call.then(
    () => "answered",
    (error: unknown) => (isServiceError(error) ? `${error.code} ${error.reason ?? ""}`.trim() : String(error)),
  );

test("an order placed with a key, its outcome not known, is unavailable: asked again it is the one order", async () => {
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

test("without a key it stays unknown: nobody may send it again unasked", async () => {
  await using running = await runForgetful();
  const request = { customerId: newCustomer(), items: [{ sku: "tea", quantity: 1 }] };
  assert.equal(await outcome(running.client.placeOrder(request)), "unknown");
});

test("a cancellation whose outcome is not known is unavailable, and asked again it is done", async () => {
  await using running = await runForgetful();
  const request = { customerId: newCustomer(), items: [{ sku: "tea", quantity: 1 }] };
  const metadata = { "idempotency-key": randomUUID() };
  await outcome(running.client.placeOrder(request, { metadata }));
  const { id: orderId } = await running.client.placeOrder(request, { metadata });
  assert.equal(await outcome(running.client.cancelOrder({ orderId })), "unavailable OUTCOME_UNKNOWN");
  assert.equal(await outcome(running.client.cancelOrder({ orderId })), "answered");
});
