/** The service through its API, with real gRPC in this process, over the given adapters. */

import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import test, { after, before, describe } from "node:test";
import { deadline } from "@plumbline/concurrency";
import { env, loadConfig } from "@plumbline/config";
import {
  fulfilmentEvents,
  ListOrdersResponse,
  type Order,
  OrderStatus,
  OrdersService,
  orderFulfilled,
  orderRejected,
} from "@plumbline/contracts";
import { codeOf, isServiceError, type ServiceError } from "@plumbline/errors";
import { type Flags, noFlags } from "@plumbline/flags";
import { eventMessage, type Message } from "@plumbline/messaging";
import { type Client, connect, createClient, type RpcServer, serve } from "@plumbline/rpc";
import { shareKeyName } from "@plumbline/rpc/shares";
import { noTelemetry } from "@plumbline/telemetry";
import { eventually } from "@plumbline/tools-engines";
import { type App, createApp, newOrderId } from "../src/app.ts";
import { OrdersConfig } from "../src/config.ts";
import type { OrderId } from "../src/domain/order-id.ts";
import { rolloutsOf } from "../src/rollouts.ts";
import type { LiveSettings } from "../src/use-cases/ports.ts";
import { newCustomer } from "./builders.ts";
import type { TestContext } from "./ports.ts";

export type OrdersClient = Client<typeof OrdersService>;

export interface Running extends AsyncDisposable {
  readonly client: OrdersClient;
  readonly app: App;
  readonly server: RpcServer;
  readonly context: TestContext;
}

export const defaults = await loadConfig(OrdersConfig, [
  env("ORDERS", { ORDERS_DATABASE_URL: "postgresql://localhost/orders", ORDERS_MESSAGING_ADAPTER: "memory" }),
]);

/** Starts a server and a client around `context`, which it closes too. */
export async function runService(
  context: TestContext,
  changed: Partial<LiveSettings> = {},
  flags: Pick<Flags, "number"> = noFlags(),
): Promise<Running> {
  await using stack = new AsyncDisposableStack();
  stack.use(context);
  const app = createApp(
    { ...context, settings: () => ({ ...defaults, ...changed }), rollouts: rolloutsOf(flags) },
    noTelemetry,
  );
  const server = stack.use(
    await serve({ services: [app.service], telemetry: noTelemetry }, { host: "127.0.0.1", port: 0, graceMs: 2_000 }),
  );
  const channel = stack.use(await connect(`127.0.0.1:${server.port}`, noTelemetry, { timeoutMs: 10_000 }));
  const client = createClient(OrdersService, channel);
  const owned = stack.move();
  return { client, app, server, context, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Creates the delivery of one of the worker's events, as a broker makes it. */
export function delivery(message: Message) {
  const { topic } = fulfilmentEvents;
  return { topic, group: "orders", message, attempt: 1, signal: new AbortController().signal };
}

export function answer(orderId: string, outcome: { minorUnits: bigint } | { reason: string }): Message {
  const time = new Date();
  const fields = { source: "/plumbline/worker", key: orderId, time };
  if ("reason" in outcome) {
    return eventMessage(orderRejected, { orderId, reason: outcome.reason, occurTime: time }, fields);
  }
  const total = { currencyCode: "EUR", ...outcome };
  return eventMessage(orderFulfilled, { orderId, total, occurTime: time }, fields);
}

async function errorOf(call: Promise<unknown> | AsyncIterable<unknown>): Promise<ServiceError> {
  const answered = Symbol.asyncIterator in call ? Array.fromAsync(call) : call;
  const error: unknown = await answered.then(
    (answer) => new Error("no error but an answer", { cause: answer }),
    (error: unknown) => error,
  );
  if (isServiceError(error)) return error;
  throw error;
}

export function serviceSuite(adapter: string, open: () => Promise<TestContext>): void {
  describe(`the service over ${adapter}`, () => {
    let running: Running;
    let client: OrdersClient;
    before(async () => {
      running = await runService(await open());
      client = running.client;
    });
    after(() => running?.[Symbol.asyncDispose]());

    const place = (customerId = newCustomer(), quantity = 2): Promise<Order> =>
      client.placeOrder({ customerId, items: [{ sku: "tea", quantity }] });
    const deliver = (message: Message) => running.app.onFulfilmentEvent(delivery(message));

    test("a placed order is pending, with a UUID of version 7, at version 1", async () => {
      const began = Date.now();
      const order = await place("ada");
      assert.match(order.id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      assert.ok(order.createTime !== undefined && order.createTime.getTime() >= began);
      const { id, createTime, updateTime, ...rest } = order;
      assert.deepEqual(updateTime, createTime);
      assert.deepEqual(rest, {
        customerId: "ada",
        items: [{ sku: "tea", quantity: 2 }],
        status: OrderStatus.ORDER_STATUS_PENDING,
        total: undefined,
        rejectionReason: "",
        version: 1n,
      });
      assert.deepEqual(await client.getOrder({ orderId: id }), order);
      await eventually(running.context.announced, (messages) => messages.some(({ key }) => key === id));
    });

    test("a request with several violations gets all of them, with the field names of the proto", async () => {
      const error = await errorOf(
        client.placeOrder({
          customerId: "",
          items: [
            { sku: "a", quantity: 1 },
            { sku: "b", quantity: 1 },
            { sku: "c", quantity: 1 },
            { sku: "D", quantity: -1 },
          ],
        }),
      );
      assert.equal(error.code, "invalid_argument");
      assert.deepEqual(
        error.violations.map(({ field }) => field),
        ["customer_id", "items[3].sku", "items[3].quantity"],
      );
    });

    for (const orderId of [newOrderId(), "", "no-id", "../../etc/passwd"]) {
      test(`there is no order ${JSON.stringify(orderId)} for any method`, async () => {
        for (const call of [
          client.getOrder({ orderId }),
          client.cancelOrder({ orderId }),
          client.watchOrder({ orderId, afterVersion: 0n }),
        ]) {
          const { code, reason } = await errorOf(call);
          assert.deepEqual([code, reason], ["not_found", "ORDER_NOT_FOUND"]);
        }
      });
    }

    test("a fulfilled order has the suppliers' total, and can no longer be cancelled", async () => {
      const { id: orderId } = await place();
      await deliver(answer(orderId, { minorUnits: 1_250n }));
      const order = await client.getOrder({ orderId });
      assert.equal(order.status, OrderStatus.ORDER_STATUS_FULFILLED);
      assert.deepEqual(order.total, { currencyCode: "EUR", minorUnits: 1_250n });
      assert.equal(order.version, 2n);
      const { code, reason } = await errorOf(client.cancelOrder({ orderId }));
      assert.deepEqual([code, reason], ["failed_precondition", "ORDER_ALREADY_FULFILLED"]);
    });

    test("a rejected order has its reason, and can no longer be cancelled", async () => {
      const { id: orderId } = await place();
      await deliver(answer(orderId, { reason: "out of stock: oolong" }));
      const order = await client.getOrder({ orderId });
      assert.equal(order.status, OrderStatus.ORDER_STATUS_REJECTED);
      assert.equal(order.rejectionReason, "out of stock: oolong");
      const { code, reason } = await errorOf(client.cancelOrder({ orderId }));
      assert.deepEqual([code, reason], ["failed_precondition", "ORDER_ALREADY_REJECTED"]);
    });

    test("a second cancel returns the same, and a later event of the worker changes nothing", async () => {
      const { id: orderId } = await place();
      const cancelled = await client.cancelOrder({ orderId });
      assert.equal(cancelled.status, OrderStatus.ORDER_STATUS_CANCELLED);
      assert.deepEqual(await client.cancelOrder({ orderId }), cancelled);
      await deliver(answer(orderId, { minorUnits: 1n }));
      assert.deepEqual(await client.getOrder({ orderId }), cancelled);
    });

    test("an event that is delivered twice, and a second event, change an order once", async () => {
      const { id: orderId } = await place();
      const first = answer(orderId, { minorUnits: 1n });
      for (const message of [first, first, answer(orderId, { minorUnits: 2n }), answer(orderId, { reason: "late" })]) {
        await deliver(message);
      }
      const order = await client.getOrder({ orderId });
      assert.deepEqual([order.version, order.total?.minorUnits], [2n, 1n]);
    });

    for (const { name, message, code } of [
      {
        name: "that cannot be decoded",
        message: { ...answer(newOrderId(), { reason: "" }), data: Uint8Array.of(0xff) },
        code: "data_loss",
      },
      {
        name: "with a negative total",
        message: answer(newOrderId(), { minorUnits: -1n }),
        code: "invalid_argument",
      },
      {
        name: "without a total",
        message: { ...answer(newOrderId(), { reason: "" }), type: orderFulfilled.type },
        code: "invalid_argument",
      },
      { name: "with text that is no order id", message: answer("no-id", { reason: "x" }), code: "invalid_argument" },
      {
        name: "of another source",
        message: { ...answer(newOrderId(), { reason: "x" }), source: "/plumbline/orders" },
        code: "invalid_argument",
      },
      { name: "for an order that was never placed", message: answer(newOrderId(), { reason: "x" }), code: "internal" },
    ]) {
      test(`an event ${name} is not acknowledged`, async () =>
        await assert.rejects(deliver(message), (error) => codeOf(error) === code));
    }

    test("an event of an unknown type is not acknowledged, and has no effect", async () => {
      const { id } = await place();
      for (const type of ["fulfilment.v1.OrderDelayed", "orders.v1.OrderPlaced", "constructor"]) {
        await assert.rejects(deliver({ ...answer(id, { reason: "" }), type }), { code: "invalid_argument" });
      }
      assert.equal((await client.getOrder({ orderId: id })).status, OrderStatus.ORDER_STATUS_PENDING);
    });

    test("pages list a customer's orders, the newest first, each once, while more are placed", async () => {
      const customerId = newCustomer();
      for (let count = 0; count < 5; count++) await place(customerId);
      const seen: Order[] = [];
      let pageToken = "";
      do {
        const page = await client.listOrders({ customerId, pageSize: 2, pageToken });
        seen.push(...page.orders);
        pageToken = page.nextPageToken;
        await place(customerId);
      } while (pageToken !== "" && seen.length < 10);
      assert.equal(seen.length, 5);
      assert.equal(new Set(seen.map(({ id }) => id)).size, 5);
      assert.deepEqual(
        seen.map(({ id }) => id),
        seen.map(({ id }) => id).toSorted((a, b) => (a < b ? 1 : -1)),
      );
    });

    test("a page has 20 orders by default, and the last page has no token", async () => {
      const customerId = newCustomer();
      for (let count = 0; count < 20; count++) await place(customerId);
      const exact = await client.listOrders({ customerId, pageSize: 0, pageToken: "" });
      assert.deepEqual([exact.orders.length, exact.nextPageToken], [20, ""]);
      await place(customerId);
      const first = await client.listOrders({ customerId, pageSize: 0, pageToken: "" });
      assert.equal(first.orders.length, 20);
      const last = await client.listOrders({ customerId, pageSize: 0, pageToken: first.nextPageToken });
      assert.deepEqual([last.orders.length, last.nextPageToken], [1, ""]);
    });

    test("pages of large orders are shorter than requested, and together have each order once", async () => {
      const customerId = newCustomer();
      const items = Array.from({ length: 100 }, (_, index) => ({ sku: `${index}`.padEnd(64, "x"), quantity: 1 }));
      const ids: string[] = [];
      for (let count = 0; count < 30; count++) ids.push((await client.placeOrder({ customerId, items })).id);
      const seen: string[] = [];
      let pageToken = "";
      do {
        const page = await client.listOrders({ customerId, pageSize: 100, pageToken });
        const octets = ListOrdersResponse.encode(page).finish().length;
        assert.ok(octets < 150 * 1024, `${octets} octets`);
        seen.push(...page.orders.map(({ id }) => id));
        pageToken = page.nextPageToken;
      } while (pageToken !== "");
      // Two of one millisecond have random ids, so they may come either way round.
      assert.deepEqual(seen, ids.toSorted().toReversed());
    });

    test("a page token belongs to the customer whose page it ends, and the size may change", async () => {
      const [customerId, other] = [newCustomer(), newCustomer()];
      for (let count = 0; count < 4; count++) await place(customerId);
      await place(other);
      const list = (query: object) => client.listOrders({ customerId, pageSize: 1, pageToken: "", ...query });
      const { orders: all } = await list({ pageSize: 4 });
      const { nextPageToken: pageToken } = await list({});
      assert.deepEqual((await list({ pageSize: 2, pageToken })).orders, all.slice(1, 3));
      const { code, reason, violations } = await errorOf(list({ customerId: other, pageToken }));
      assert.deepEqual([code, reason], ["invalid_argument", "LIST_INVALID"]);
      const description = "must be of a page with the same customerId; empty is the first page";
      assert.deepEqual(violations, [{ field: "page_token", description }]);
      // A token of an earlier version is the id alone.
      const before = Buffer.from(all[1]?.id.replaceAll("-", "") ?? "", "hex").toString("base64url");
      assert.deepEqual((await list({ pageSize: 4, pageToken: before })).orders, all.slice(2));
      for (const size of [15, 17, 23, 25]) {
        const cut = Buffer.alloc(size, Buffer.from(pageToken, "base64url")).toString("base64url");
        assert.match((await errorOf(list({ pageToken: cut }))).violations[0]?.description ?? "", /nextPageToken/);
      }
    });

    for (const { name, query, field } of [
      { name: "without a customer", query: { customerId: "" }, field: "customer_id" },
      { name: "of -1 orders", query: { pageSize: -1 }, field: "page_size" },
      { name: "of 101 orders", query: { pageSize: 101 }, field: "page_size" },
      { name: "after an invalid token", query: { pageToken: "next" }, field: "page_token" },
      { name: "after a token with padding", query: { pageToken: "AZAAAAAAcACAAAAAAAAAAA==" }, field: "page_token" },
      { name: "after a token of version 4", query: { pageToken: "AZAAAAAAQACAAAAAAAAAAA" }, field: "page_token" },
      { name: "after a token of 10,000 characters", query: { pageToken: "A".repeat(10_000) }, field: "page_token" },
    ]) {
      test(`a page ${name} is refused`, async () => {
        const error = await errorOf(client.listOrders({ customerId: "ada", pageSize: 1, pageToken: "", ...query }));
        assert.equal(error.code, "invalid_argument");
        assert.deepEqual(
          error.violations.map((violation) => violation.field),
          [field],
        );
      });
    }

    test("one idempotency key places one order, also when it is sent concurrently", async () => {
      const customerId = newCustomer();
      const metadata = { "idempotency-key": randomUUID() };
      const request = { customerId, items: [{ sku: "tea", quantity: 1 }] };
      const answers = await Promise.all(Array.from({ length: 10 }, () => client.placeOrder(request, { metadata })));
      await client.cancelOrder({ orderId: answers[0]?.id ?? "" });
      answers.push(await client.placeOrder(request, { metadata }));
      for (const order of answers) assert.deepEqual(order, answers[0]);
      assert.equal((await client.listOrders({ customerId, pageSize: 0, pageToken: "" })).orders.length, 1);
      const { code, reason } = await errorOf(
        client.placeOrder({ customerId, items: [{ sku: "tea", quantity: 2 }] }, { metadata }),
      );
      assert.deepEqual([code, reason], ["failed_precondition", "IDEMPOTENCY_KEY_REUSED"]);
    });

    for (const key of ["", "a key with spaces", "k".repeat(256)]) {
      test(`${key.length > 20 ? "a key of 256 characters" : JSON.stringify(key)} is no idempotency key`, async () => {
        const { code, reason } = await errorOf(
          client.placeOrder(
            { customerId: "ada", items: [{ sku: "tea", quantity: 1 }] },
            { metadata: { "idempotency-key": key } },
          ),
        );
        assert.deepEqual([code, reason], ["invalid_argument", "IDEMPOTENCY_KEY_INVALID"]);
      });
    }

    test("a watcher gets the present order, its end, and then the end of the stream", async () => {
      const { id: orderId } = await place();
      const seen: [bigint, OrderStatus][] = [];
      for await (const order of client.watchOrder({ orderId, afterVersion: 0n })) {
        seen.push([order.version, order.status]);
        if (order.version === 1n) await deliver(answer(orderId, { minorUnits: 1n }));
      }
      assert.deepEqual(seen, [
        [1n, OrderStatus.ORDER_STATUS_PENDING],
        [2n, OrderStatus.ORDER_STATUS_FULFILLED],
      ]);
    });

    for (const { name, afterVersion, want } of [
      { name: "0 gets an ended order once", afterVersion: 0n, want: [2n] },
      { name: "1 gets what is newer", afterVersion: 1n, want: [2n] },
      { name: "2 gets nothing of an order that ended with it", afterVersion: 2n, want: [] },
      { name: "a million gets the end of the stream too", afterVersion: 1_000_000n, want: [] },
    ]) {
      test(`a watcher after version ${name}`, async () => {
        const { id: orderId } = await place();
        await client.cancelOrder({ orderId });
        const seen = await Array.fromAsync(client.watchOrder({ orderId, afterVersion }));
        assert.deepEqual(
          seen.map(({ version }) => version),
          want,
        );
      });
    }

    test("fifty watchers of one order all see its end", async () => {
      const { id: orderId } = await place();
      const began = Array.from({ length: 50 }, () => Promise.withResolvers<void>());
      const watching = began.map(async ({ resolve }) => {
        const seen: bigint[] = [];
        for await (const { version } of client.watchOrder({ orderId, afterVersion: 0n })) {
          seen.push(version);
          resolve();
        }
        return seen;
      });
      await Promise.all(began.map(({ promise }) => promise));
      await client.cancelOrder({ orderId });
      for (const seen of await Promise.all(watching)) assert.deepEqual(seen, [1n, 2n]);
    });

    test("a watcher that leaves makes room for another", async () => {
      const { id: orderId } = await place();
      // The limit is 100, so the last ones would be refused if watchers kept their room.
      for (let round = 0; round < 150; round++) {
        for await (const order of client.watchOrder({ orderId, afterVersion: 0n })) {
          assert.equal(order.version, 1n);
          break;
        }
        if (round % 50 !== 49) continue;
        // The cancellation reaches the server a moment later.
        await eventually(
          () => {
            const places = Array.from({ length: 100 }, () => tryWatch(running.context, orderId as OrderId));
            for (const place of places) place?.[Symbol.dispose]();
            return places.every((place) => place !== undefined);
          },
          (free) => free,
        );
      }
    });
  });

  test(`the service over ${adapter} ends a stream at its maximum age with unavailable`, async () => {
    await using running = await runService(await open(), { watch: { maxAgeMs: 50 } });
    const { id: orderId } = await running.client.placeOrder({
      customerId: newCustomer(),
      items: [{ sku: "tea", quantity: 1 }],
    });
    const { code, reason } = await errorOf(running.client.watchOrder({ orderId, afterVersion: 0n }));
    assert.deepEqual([code, reason], ["unavailable", "WATCH_EXPIRED"]);
  });

  test(`the service over ${adapter} ends streams with unavailable when it drains`, async () => {
    await using running = await runService(await open());
    const { id: orderId } = await running.client.placeOrder({
      customerId: newCustomer(),
      items: [{ sku: "tea", quantity: 1 }],
    });
    const stream = running.client.watchOrder({ orderId, afterVersion: 0n })[Symbol.asyncIterator]();
    await stream.next();
    const ended = assert.rejects(stream.next(), (error) => codeOf(error) === "unavailable");
    using limit = deadline(1_500);
    await Promise.race([
      running.server.drain(),
      new Promise((_, reject) => limit.signal.addEventListener("abort", () => reject(limit.signal.reason))),
    ]);
    await ended;
  });

  test(`the service over ${adapter} refuses watchers beyond its limit`, async () => {
    await using running = await runService(await open());
    const { id: orderId } = await running.client.placeOrder({
      customerId: newCustomer(),
      items: [{ sku: "tea", quantity: 1 }],
    });
    const places = Array.from({ length: 100 }, () => running.context.changes.watch(orderId as OrderId));
    const { code, reason } = await errorOf(running.client.watchOrder({ orderId, afterVersion: 0n }));
    assert.deepEqual([code, reason], ["resource_exhausted", "TOO_MANY_WATCHERS"]);
    for (const place of places) place[Symbol.dispose]();
  });
}

function tryWatch(context: TestContext, orderId: OrderId): Disposable | undefined {
  try {
    return context.changes.watch(orderId);
  } catch {
    return undefined;
  }
}

/** The bounds of unanswered orders, on a service of their own. */
export function pendingSuite(adapter: string, open: () => Promise<TestContext>): void {
  describe(`unanswered orders over ${adapter}`, () => {
    const wide = { ordersPerClient: 1_000, costPerClient: 10_000, ordersInAll: 1_000_000, costInAll: 1_000_000 };
    const itemsOf = (count: number) =>
      Array.from({ length: count }, (_, index) => ({ sku: `s-${index}`, quantity: 1 }));
    const clientOf = (name: string) => ({ metadata: { [shareKeyName]: `${name}-${randomBytes(4).toString("hex")}` } });
    const ofClient = { code: "resource_exhausted", reason: "TOO_MANY_PENDING_ORDERS_OF_CLIENT", retryAfterMs: 1_000 };
    const refusal = async (placing: Promise<unknown>) => {
      const { code, reason, retryAfterMs } = await errorOf(placing);
      return { code, reason, retryAfterMs };
    };

    test("one client's orders are bounded whatever customers they name, and another client's are not", async () => {
      await using running = await runService(await open(), { pending: { ...wide, ordersPerClient: 3 } });
      const { client, app } = running;
      const [flood, other] = [clientOf("flood"), clientOf("other")];
      const place = (options: object, customerId = newCustomer()) =>
        client.placeOrder({ customerId, items: itemsOf(1) }, options);
      const victim = newCustomer();
      const [first] = [await place(flood), await place(flood, victim), await place(flood, victim)];
      assert.deepEqual(await refusal(place(flood, victim)), ofClient);
      assert.deepEqual(await refusal(place(flood)), ofClient);
      await place(other, victim);
      await app.onFulfilmentEvent(delivery(answer(first.id, { reason: "unknown sku" })));
      await place(flood);
      assert.deepEqual(await refusal(place(flood)), ofClient);
    });

    test("an order costs its items", async () => {
      await using running = await runService(await open(), { pending: { ...wide, costPerClient: 150 } });
      const flood = clientOf("flood");
      const place = (count: number) =>
        running.client.placeOrder({ customerId: newCustomer(), items: itemsOf(count) }, flood);
      await place(100);
      assert.deepEqual(await refusal(place(51)), ofClient);
      await place(50);
      assert.deepEqual(await refusal(place(1)), ofClient);
    });

    test("an order that is placed and cancelled again and again does not go past the bound", async () => {
      await using running = await runService(await open(), { pending: { ...wide, ordersPerClient: 2 } });
      const flood = clientOf("flood");
      const round = async () => {
        const { id } = await running.client.placeOrder({ customerId: newCustomer(), items: itemsOf(1) }, flood);
        await running.client.cancelOrder({ orderId: id }, flood);
      };
      await round();
      await round();
      assert.deepEqual(await refusal(round()), ofClient);
    });

    test("the orders of all clients are bounded too", async () => {
      await using running = await runService(await open(), { pending: { ...wide, costInAll: 30 } });
      const place = () => running.client.placeOrder({ customerId: newCustomer(), items: itemsOf(10) }, clientOf("any"));
      for (let count = 0; count < 3; count++) await place();
      // The count of all orders follows about each second.
      const refused = await eventually(
        () =>
          place().then(
            () => undefined,
            (error: unknown) => error as ServiceError,
          ),
        (error) => error !== undefined,
      );
      const { code, reason, retryAfterMs } = refused as ServiceError;
      assert.deepEqual(
        { code, reason, retryAfterMs },
        {
          code: "unavailable",
          reason: "TOO_MANY_PENDING_ORDERS",
          retryAfterMs: 1_000,
        },
      );
    });
  });
}
