/** The callers of orders by their certificates, over real gRPC and both transports. */
import assert from "node:assert/strict";
import test, { describe } from "node:test";
import { encodePrincipal, principalName } from "@plumbline/auth";
import { descriptorSet, OrdersService } from "@plumbline/contracts";
import { accessRulesOf } from "@plumbline/contracts/access";
import { noFlags } from "@plumbline/flags";
import { type Client, connect, createClient, serve, transportNames } from "@plumbline/rpc";
import { noTelemetry } from "@plumbline/telemetry";
import { newAuthority } from "@plumbline/tools-engines";
import { createApp } from "../src/app.ts";
import { rolloutsOf } from "../src/rollouts.ts";
import { newCustomer } from "./builders.ts";
import { openMemoryContext } from "./memory-context.ts";
import { defaults } from "./service.ts";

const host = "127.0.0.1";
const items = [{ sku: "tea", quantity: 2 }];

/** Returns the options of a call for a customer, by a token that ends in `ms`. */
function as(subject: string, ms = 600_000) {
  const times = { issuedMs: Date.now() - 700_000, expiresMs: Date.now() + ms };
  const principal = encodePrincipal({ subject, client: "cli", scopes: ["orders:read", "orders:write"], ...times });
  return { metadata: { [principalName]: principal } };
}

async function withOrders(
  transport: (typeof transportNames)[number],
  body: (clientOf: (caller: string) => Promise<Client<typeof OrdersService>>) => Promise<void>,
): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const context = stack.use(await openMemoryContext());
  const app = createApp({ ...context, settings: () => defaults, rollouts: rolloutsOf(noFlags()) }, noTelemetry);
  const authority = newAuthority("tests");
  const { certificate: ca } = authority;
  const server = stack.use(
    await serve(
      { services: [app.service], telemetry: noTelemetry, access: () => accessRulesOf(descriptorSet) },
      {
        host,
        port: 0,
        graceMs: 2_000,
        transport,
        callers: "spiffe://plumbline.test/gateway",
        tls: { ...authority.issue({ name: "orders", addresses: [host] }), clientCa: ca },
      },
    ),
  );
  await body(async (caller) => {
    const own = authority.issue({ name: caller, uris: [`spiffe://plumbline.test/${caller}`] });
    const options = { transport, timeoutMs: 10_000, tls: { ca, ...own } };
    return createClient(OrdersService, stack.use(await connect(`${host}:${server.port}`, noTelemetry, options)));
  });
}

for (const transport of transportNames) {
  void describe(`callers over ${transport}`, { timeout: 60_000 }, () => {
    void test("another service cancels no order, whatever customer it names (negatives 54, 55)", () =>
      withOrders(transport, async (clientOf) => {
        const [gateway, worker] = [await clientOf("gateway"), await clientOf("worker")];
        const ada = newCustomer();
        const order = await gateway.placeOrder({ customerId: "", items }, as(ada));
        assert.equal(order.customerId, ada);
        const refusal = { code: "permission_denied", reason: "CALLER_NOT_ALLOWED" };
        await assert.rejects(worker.cancelOrder({ orderId: order.id }, as(ada)), refusal);
        await assert.rejects(worker.getOrder({ orderId: order.id }, as(ada)), refusal);
        assert.equal((await gateway.getOrder({ orderId: order.id }, as(ada))).version, order.version);
      }));

    void test("a principal that is absent, malformed or expired is none (negative 55)", () =>
      withOrders(transport, async (clientOf) => {
        const gateway = await clientOf("gateway");
        const refused = (options: ReturnType<typeof as> | undefined, reason: string) =>
          assert.rejects(gateway.placeOrder({ customerId: "", items }, options), { code: "unauthenticated", reason });
        await refused(undefined, "PRINCIPAL_MISSING");
        await refused({ metadata: { [principalName]: Buffer.from("{}") } }, "PRINCIPAL_MISSING");
        await refused(as(newCustomer(), -60_000), "TOKEN_EXPIRED");
      }));
  });
}
