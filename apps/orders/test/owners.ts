/** The owners of orders: what a caller may see and change, over real gRPC and both transports. */
import assert from "node:assert/strict";
import test, { describe } from "node:test";
import { encodePrincipal, principalName } from "@plumbline/auth";
import { sleep } from "@plumbline/concurrency";
import { descriptorSet, OrdersService } from "@plumbline/contracts";
import { accessRulesOf } from "@plumbline/contracts/access";
import { isServiceError, type ServiceError } from "@plumbline/errors";
import { noFlags } from "@plumbline/flags";
import { type Client, connect, createClient, serve, transportNames } from "@plumbline/rpc";
import { noTelemetry } from "@plumbline/telemetry";
import { createApp } from "../src/app.ts";
import { rolloutsOf } from "../src/rollouts.ts";
import { newCustomer } from "./builders.ts";
import type { TestContext } from "./ports.ts";
import { defaults } from "./service.ts";

const both = ["orders:read", "orders:write"];
const items = [{ sku: "tea", quantity: 2 }];

type OrdersClient = Client<typeof OrdersService>;
type Failure = Pick<ServiceError, "code" | "violations">;
type CallOptions = Parameters<OrdersClient["getOrder"]>[1];

/** Returns the options of a call that a gateway makes for a customer. */
function as(subject: string, more: Readonly<Record<string, string>> = {}, scopes = both): NonNullable<CallOptions> {
  const times = { issuedMs: Date.now(), expiresMs: Date.now() + 600_000 };
  const principal = encodePrincipal({ subject, client: "cli", scopes, ...times });
  return { metadata: { [principalName]: principal, ...more } };
}

/** Returns the failure of a call, in full: what differs would tell that an order exists. */
async function failureOf(call: Promise<unknown> | AsyncIterable<unknown>): Promise<unknown> {
  try {
    await (Symbol.asyncIterator in call ? Array.fromAsync(call) : call);
  } catch (error) {
    if (!isServiceError(error)) throw error;
    const { code, reason, message, violations } = error;
    return { code, reason, message, violations };
  }
  return "no failure";
}

export function ownersSuite(adapter: string, open: () => Promise<TestContext>): void {
  for (const transport of transportNames) {
    const run = (name: string, body: (client: OrdersClient, context: TestContext) => Promise<void>) =>
      test(name, async () => {
        await using context = await open();
        const app = createApp({ ...context, settings: () => defaults, rollouts: rolloutsOf(noFlags()) }, noTelemetry);
        await using server = await serve(
          { services: [app.service], telemetry: noTelemetry, access: () => accessRulesOf(descriptorSet) },
          { host: "127.0.0.1", port: 0, graceMs: 2_000, transport, principalPeers: "loopback" },
        );
        await using channel = await connect(`127.0.0.1:${server.port}`, noTelemetry, { transport, timeoutMs: 10_000 });
        await body(createClient(OrdersService, channel), context);
      });

    void describe(`owners over ${adapter} and ${transport}`, () => {
      run(
        "another customer's order is one that does not exist, to read, watch and cancel (negatives 1, 2, 3, 9)",
        async (client, context) => {
          const [ada, bob] = [newCustomer(), newCustomer()];
          const order = await client.placeOrder({ customerId: ada, items }, as(ada));
          const missing = { orderId: "01890000-0000-7000-8000-000000000000", afterVersion: 0n };
          const foreign = { orderId: order.id, afterVersion: 0n };
          const malformed = { orderId: "../x", afterVersion: 0n };
          for (const call of [
            (request: typeof foreign) => client.getOrder(request, as(bob)),
            (request: typeof foreign) => client.cancelOrder(request, as(bob)),
            (request: typeof foreign) => client.watchOrder(request, as(bob)),
          ]) {
            const failure = await failureOf(call(foreign));
            assert.deepEqual(failure, await failureOf(call(missing)));
            assert.deepEqual(failure, await failureOf(call(malformed)));
            assert.equal((failure as { reason: string }).reason, "ORDER_NOT_FOUND");
          }
          assert.deepEqual(await client.getOrder(foreign, as(ada)), order);
          assert.equal((await client.cancelOrder(foreign, as(ada))).version, 2n);
          assert.deepEqual((await context.orders.find(order.id as never))?.version, 2n);
        },
      );

      run("a customer that is left out is the caller, and another one is refused (negatives 5, 7)", async (client) => {
        const [ada, bob] = [newCustomer(), newCustomer()];
        const order = await client.placeOrder({ customerId: "", items }, as(ada));
        assert.equal(order.customerId, ada);
        const page = { pageSize: 0, pageToken: "" };
        const list = async (customerId: string, who: string) =>
          (await client.listOrders({ customerId, ...page }, as(who))).orders.map(({ id }) => id);
        assert.deepEqual(
          [await list("", ada), await list(ada, ada), await list("", bob)],
          [[order.id], [order.id], []],
        );
        for (const refused of [
          () => client.listOrders({ customerId: ada, ...page }, as(bob)),
          () => client.placeOrder({ customerId: ada, items }, as(bob)),
        ]) {
          const { code, reason } = (await failureOf(refused())) as { code: string; reason: string };
          assert.deepEqual([code, reason], ["permission_denied", "CUSTOMER_MISMATCH"]);
        }
        assert.deepEqual([await list("", ada), await list("", bob)], [[order.id], []]);
      });

      run("a SKU that is an address, a path or a line of a header is refused by name (negative 44)", async (client) => {
        const ada = newCustomer();
        for (const sku of [
          "http://169.254.169.254/latest/meta-data",
          "//169.254.169.254",
          "../../admin",
          "..%2fadmin",
          "@169.254.169.254",
          "tea?quantity=1",
          "tea#",
          "tea\r\nHost: evil.example.com",
          "tea\u0000",
          "\u202etea",
        ]) {
          const failure = await failureOf(
            client.placeOrder({ customerId: "", items: [{ sku, quantity: 1 }] }, as(ada)),
          );
          const { code, violations } = failure as Failure;
          assert.deepEqual([code, violations.map(({ field }) => field)], ["invalid_argument", ["items[0].sku"]], sku);
        }
        const { orders } = await client.listOrders({ customerId: "", pageSize: 0, pageToken: "" }, as(ada));
        assert.deepEqual(orders, []);
      });

      run("a page of 101 orders is refused (negative 37)", async (client) => {
        const query = { customerId: "", pageSize: 101, pageToken: "" };
        const { code, violations } = (await failureOf(client.listOrders(query, as(newCustomer())))) as Failure;
        assert.deepEqual([code, violations.map(({ field }) => field)], ["invalid_argument", ["page_size"]]);
      });

      run("a page token of another customer shows only the caller's own orders (negative 6)", async (client) => {
        const [ada, bob] = [newCustomer(), newCustomer()];
        const own = await client.placeOrder({ customerId: "", items }, as(bob));
        // Orders of one millisecond are in no order, and the token must be that of a later one.
        while (Date.now() <= (own.createTime?.getTime() ?? 0)) await sleep(1);
        for (let count = 0; count < 2; count++) await client.placeOrder({ customerId: "", items }, as(ada));
        const query = { customerId: "", pageSize: 1, pageToken: "" };
        const { nextPageToken: pageToken } = await client.listOrders(query, as(ada));
        assert.notEqual(pageToken, "");
        const { orders } = await client.listOrders({ ...query, pageSize: 100, pageToken }, as(bob));
        assert.deepEqual(orders, [own]);
        const named = await client.listOrders({ pageSize: 100, pageToken, customerId: bob }, as(bob));
        assert.deepEqual(named.orders, [own]);
      });

      run("an operator's page token belongs to the customer whose page it ends", async (client) => {
        const [ada, bob] = [newCustomer(), newCustomer()];
        const operator = as("operator", {}, [...both, "orders:operate"]);
        for (let count = 0; count < 2; count++) await client.placeOrder({ customerId: "", items }, as(ada));
        const query = { customerId: ada, pageSize: 1, pageToken: "" };
        const { nextPageToken: pageToken } = await client.listOrders(query, operator);
        assert.equal((await client.listOrders({ ...query, pageToken }, operator)).orders.length, 1);
        for (const customerId of [bob, "", "operator"]) {
          const failure = await failureOf(client.listOrders({ ...query, customerId, pageToken }, operator));
          const { code, violations } = failure as Failure;
          assert.deepEqual([code, violations.map(({ field }) => field)], ["invalid_argument", ["page_token"]]);
        }
      });

      run(
        "an idempotency key is the caller's: another's repeat places an order of its own (negative 8)",
        async (client) => {
          const [ada, bob] = [newCustomer(), newCustomer()];
          const key = { "idempotency-key": `key-${ada}` };
          const first = await client.placeOrder({ customerId: "", items }, as(ada, key));
          const other = await client.placeOrder({ customerId: "", items }, as(bob, key));
          assert.deepEqual([first.customerId, other.customerId], [ada, bob]);
          assert.notEqual(other.id, first.id);
          // The same request, whether it names its customer or leaves it out.
          assert.equal((await client.placeOrder({ customerId: "", items }, as(ada, key))).id, first.id);
          assert.equal((await client.placeOrder({ customerId: ada, items }, as(ada, key))).id, first.id);
        },
      );

      run("the 61st order of a minute is one too many, also if all were cancelled (negative 43)", async (client) => {
        const [ada, bob] = [newCustomer(), newCustomer()];
        const key = { "idempotency-key": `key-${ada}` };
        const first = await client.placeOrder({ customerId: "", items }, as(ada, key));
        for (let count = 1; count < 60; count++) {
          const { id: orderId } = await client.placeOrder({ customerId: "", items }, as(ada));
          await client.cancelOrder({ orderId }, as(ada));
        }
        const refused: unknown = await client.placeOrder({ customerId: "", items }, as(ada)).catch((error) => error);
        assert.ok(isServiceError(refused));
        const { code, reason, retryAfterMs = 0 } = refused;
        assert.deepEqual([code, reason], ["resource_exhausted", "ORDER_QUOTA"]);
        assert.ok(retryAfterMs > 0 && retryAfterMs <= 60_000, `${retryAfterMs} ms`);
        // A repeat is no new order, and others have quotas of their own.
        assert.equal((await client.placeOrder({ customerId: "", items }, as(ada, key))).id, first.id);
        assert.equal((await client.placeOrder({ customerId: "", items }, as(bob))).customerId, bob);
        const operator = as("operator", {}, [...both, "orders:operate"]);
        assert.equal((await client.placeOrder({ customerId: ada, items }, operator)).customerId, ada);
      });

      run("an operator sees and changes the orders of all customers", async (client) => {
        const ada = newCustomer();
        const operator = as("operator", {}, [...both, "orders:operate"]);
        const order = await client.placeOrder({ customerId: ada, items }, operator);
        assert.equal(order.customerId, ada);
        const { orders } = await client.listOrders({ customerId: ada, pageSize: 0, pageToken: "" }, operator);
        assert.deepEqual(orders, [order]);
        assert.equal((await client.cancelOrder({ orderId: order.id }, operator)).version, 2n);
      });

      run("a caller without the scope, and a call without a caller, reach no order", async (client) => {
        const ada = newCustomer();
        const { id: orderId } = await client.placeOrder({ customerId: "", items }, as(ada));
        const reasons = [
          await failureOf(client.getOrder({ orderId }, as(ada, {}, ["orders:write"]))),
          await failureOf(client.cancelOrder({ orderId }, as(ada, {}, ["orders:read", "orders:operate"]))),
          await failureOf(client.getOrder({ orderId })),
        ].map((failure) => (failure as { reason: string }).reason);
        assert.deepEqual(reasons, ["INSUFFICIENT_SCOPE", "INSUFFICIENT_SCOPE", "PRINCIPAL_MISSING"]);
      });
    });
  }
}
