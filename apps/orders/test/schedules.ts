/**
 * Cancel, fulfil and reject in random schedules with redeliveries: the order ends once, by one
 * change, and every reply agrees with that end.
 */

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import test, { after, before } from "node:test";
import { deadline, sleep } from "@plumbline/concurrency";
import { eventually } from "@plumbline/tools-engines";
import * as fc from "fast-check";
import { money } from "../src/domain/money.ts";
import { OrderAlreadyFulfilledError, OrderAlreadyRejectedError, type Outcome } from "../src/domain/order.ts";
import { cancelOrder } from "../src/use-cases/cancel-order.ts";
import type { Ports } from "../src/use-cases/ports.ts";
import { settleOrder } from "../src/use-cases/settle-order.ts";
import { watchOrder } from "../src/use-cases/watch-order.ts";
import { pendingOrder, placed } from "./builders.ts";
import type { TestContext } from "./ports.ts";

/**
 * A step after a pause. `answer` is the id of its message, so the same id twice is a redelivery.
 */
interface Step {
  readonly pauseMs: number;
  readonly act: "cancel" | { readonly answer: number; readonly status: Outcome["status"] };
}

const messages = ["fulfilled", "rejected", "fulfilled", "rejected"] as const;
const step: fc.Arbitrary<Step> = fc.record({
  pauseMs: fc.integer({ min: 0, max: 3 }),
  act: fc.oneof(
    fc.constant("cancel" as const),
    fc.nat(messages.length - 1).map((answer) => ({ answer, status: messages[answer] as Outcome["status"] })),
  ),
});
/** Tasks run concurrently, the steps of a task one after the other. */
const schedule = fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 4 });

export function scheduleProperty(adapter: string, open: () => Promise<TestContext>, numRuns: number): void {
  let context: TestContext;
  before(async () => {
    context = await open();
  });
  after(() => context?.[Symbol.asyncDispose]());

  test(`${adapter}: in every schedule an order ends once, by one change, and every reply agrees with it`, async () =>
    await fc.assert(
      fc.asyncProperty(schedule, (tasks) => run(context, tasks)),
      { numRuns },
    ));
}

async function run(
  { orders, inbox, changes, announced }: TestContext,
  tasks: readonly (readonly Step[])[],
): Promise<void> {
  const ports: Pick<Ports, "orders" | "inbox" | "changes" | "clock"> = {
    orders,
    inbox,
    changes,
    clock: { now: () => new Date() },
  };
  const order = pendingOrder();
  await orders.add(order, placed(order));
  const prefix = randomUUID();
  const cancels: (string | undefined)[] = [];
  using limit = deadline(10_000);
  const watched = Array.fromAsync(watchOrder(ports, undefined, { orderId: order.id, afterVersion: 0n }, limit));

  async function take({ act }: Step): Promise<void> {
    if (act === "cancel") {
      try {
        cancels.push((await cancelOrder(ports, undefined, order.id)).status);
      } catch (error) {
        if (error instanceof OrderAlreadyFulfilledError) cancels.push("fulfilled");
        else if (error instanceof OrderAlreadyRejectedError) cancels.push("rejected");
        else throw error;
      }
      return;
    }
    const outcome: Outcome =
      act.status === "fulfilled"
        ? { status: "fulfilled", total: money("EUR", BigInt(act.answer)) }
        : { status: "rejected", reason: String(act.answer) };
    const message = { id: `${prefix}-${act.answer}`, source: "/plumbline/worker" };
    await settleOrder(ports, { message, orderId: order.id, outcome });
    // An immediate redelivery: the acknowledgement was lost.
    await settleOrder(ports, { message, orderId: order.id, outcome });
  }

  await Promise.all(
    tasks.map(async (steps) => {
      for (const step of steps) {
        await sleep(step.pauseMs);
        await take(step);
      }
    }),
  );

  const end = await orders.find(order.id);
  assert.ok(end !== undefined);
  assert.notEqual(end.status, "pending");
  assert.equal(end.version, 2n, "one change");
  assert.deepEqual(
    new Set(cancels),
    new Set(cancels.length > 0 ? [end.status] : []),
    "every reply to a cancel has that end",
  );
  assert.equal(end.total !== undefined, end.status === "fulfilled");
  assert.equal(end.rejectionReason !== "", end.status === "rejected");

  const seen = await watched;
  assert.deepEqual(seen.at(-1), end, "the watcher saw the end");
  assert.ok(seen.length <= 2);

  const fence = pendingOrder();
  await orders.add(fence, placed(fence));
  const all = await eventually(announced, (messages) => messages.some(({ key }) => key === fence.id));
  assert.deepEqual(
    all.filter(({ key }) => key === order.id).map(({ type }) => type),
    ["orders.v1.OrderPlaced", ...(end.status === "cancelled" ? ["orders.v1.OrderCancelled"] : [])],
    "a cancellation is announced once, and only where it won",
  );
}
