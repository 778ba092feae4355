/**
 * Two changes that a newcomer makes: a field, and a setting that changes live. The test applies
 * them to a copy of the repository.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";

const migrations = "apps/orders/src/postgres/migrations";
const nextMigration = readdirSync(join(import.meta.dirname, "../../../..", migrations)).length + 1;

/** Edits of one file; without any, the file is new and has `text`. */
export interface FileChange {
  readonly file: string;
  readonly edits?: readonly Edit[];
  readonly text?: string;
}

interface Edit {
  /** Code that stands exactly once in the file. */
  readonly at: string;
  /** Put before it, behind it, or in its place. */
  readonly before?: string;
  readonly after?: string;
  readonly instead?: string;
}

/** An optional note of at most 200 characters on an order: placed, stored, read and announced. */
export const note: readonly FileChange[] = [
  {
    file: "protos/orders/v1/orders.proto",
    edits: [
      {
        at: "  google.protobuf.Timestamp update_time = 9;\n",
        after: "  // The customer's words to the shop.\n  string note = 10;\n",
      },
      {
        at: "  repeated OrderItem items = 2 [(buf.validate.field).repeated = {min_items: 1, max_items: 100}];\n",
        after: `  // At most 200 characters, none of them a control character.
  optional string note = 3 [(buf.validate.field).string = {max_len: 200, pattern: "^\\\\P{Cc}*$"}];
`,
      },
    ],
  },
  {
    file: "protos/orders/v1/events.proto",
    edits: [
      {
        at: "  google.protobuf.Timestamp occur_time = 5;\n",
        after: "  // Absent in events of before it was added.\n  optional string note = 6;\n",
      },
    ],
  },
  {
    file: "apps/orders/src/domain/order.ts",
    edits: [
      { at: "  readonly items: readonly OrderItem[];\n", after: "  readonly note: string;\n" },
      {
        at: 'export type OrderRequest = Pick<Order, "customerId" | "items">',
        after: " & { readonly note?: string | undefined }",
      },
      { at: "    items: request.items.map(", before: '    note: request.note ?? "",\n' },
    ],
  },
  {
    file: "apps/orders/src/postgres/order-row.ts",
    edits: [
      { at: "  readonly items: readonly OrderItem[];\n", after: "  readonly note: string;\n" },
      { at: "  customer_id: ({ customerId }) => customerId,\n", after: "  note: ({ note }) => note,\n" },
      { at: "    customerId: row.customer_id,\n", after: "    note: row.note,\n" },
    ],
  },
  {
    file: `${migrations}/${String(nextMigration).padStart(3, "0")}-order-note.sql`,
    text: "alter table orders add column note text not null default '';\n",
  },
  {
    file: "apps/orders/test/service.ts",
    edits: [
      {
        at: '        customerId: "ada",\n        items: [{ sku: "tea", quantity: 2 }],\n',
        after: '        note: "",\n',
      },
      {
        at: '    for (const orderId of [newOrderId(), "", "no-id", "../../etc/passwd"]) {\n',
        before: `    test("a note is read, listed and announced, and a repeat with another note is refused", async () => {
      const request = { customerId: newCustomer(), items: [{ sku: "tea", quantity: 1 }], note: "by the door" };
      const metadata = { "idempotency-key": randomUUID() };
      const order = await client.placeOrder(request, { metadata });
      assert.equal(order.note, "by the door");
      assert.deepEqual(await client.getOrder({ orderId: order.id }), order);
      const { orders } = await client.listOrders({ customerId: request.customerId, pageSize: 0, pageToken: "" });
      assert.deepEqual(orders, [order]);
      const messages = await eventually(running.context.announced, (all) => all.some(({ key }) => key === order.id));
      const message = messages.find(({ key }) => key === order.id);
      assert.equal(OrderPlaced.decode(message?.data ?? new Uint8Array()).note, "by the door");
      const other = await errorOf(client.placeOrder({ ...request, note: "upstairs" }, { metadata }));
      assert.equal(other.reason, "IDEMPOTENCY_KEY_REUSED");
      for (const note of ["x".repeat(201), "\\u0000"]) {
        const { code, violations } = await errorOf(client.placeOrder({ ...request, note }));
        assert.deepEqual([code, violations.map(({ field }) => field)], ["invalid_argument", ["note"]]);
      }
    });

`,
      },
      { at: "  OrderStatus,\n  OrdersService,\n", before: "  OrderPlaced,\n" },
    ],
  },
  {
    file: "apps/orders/test/ports.ts",
    edits: [
      {
        at: '        customerId: order.customerId,\n        items: [{ sku: "tea", quantity: 3 }],\n',
        after: '        note: "",\n',
      },
    ],
  },
];

/** A bound on the items of an order, which changes live. */
export const itemsBound: readonly FileChange[] = [
  {
    file: "apps/orders/src/config.ts",
    edits: [
      {
        at: "    telemetry: settings.telemetry(),\n",
        before: `    limits: z.object({
      itemsPerOrder: live(count(100, 100).describe("items of a new order; more are refused")),
    }),
`,
      },
    ],
  },
  {
    file: "apps/orders/src/use-cases/ports.ts",
    edits: [
      {
        at: "  readonly watch: { readonly maxAgeMs: number };\n",
        after: "  readonly limits: { readonly itemsPerOrder: number };\n",
      },
    ],
  },
  {
    file: "apps/orders/src/use-cases/place-order.ts",
    edits: [
      { at: "import { costOf, newOrder,", instead: "import { costOf, InvalidOrderError, newOrder," },
      { at: "  const { pending, quota } = settings();", instead: "  const { limits, pending, quota } = settings();" },
      {
        at: "    refuseTooMany(order, before, pending);\n",
        before: `    const most = limits.itemsPerOrder;
    if (order.items.length > most) {
      throw new InvalidOrderError([{ field: "items", description: \`must have 1 to \${most} entries\` }]);
    }
`,
      },
    ],
  },
  {
    file: "config/orders.yaml",
    text: `# Settings of orders. A change of a live one applies as soon as this file is saved.
limits:
  itemsPerOrder: 100
`,
  },
  {
    file: "apps/orders/test/process.test.ts",
    edits: [
      {
        at: "const tea = [",
        before: `test("the bound on items changes live, and a repeat of an earlier order gets its first answer", async () => {
  const folder = mkdtempSync(join(tmpdir(), "orders-"));
  const file = join(folder, "orders.yaml");
  writeFileSync(file, "limits: { itemsPerOrder: 2 }\\n");
  await using orders = await startOrders({ ...environment, ORDERS_CONFIG_FILE: file });
  const two = { customerId: newCustomer(), items: [...tea, { sku: "cake", quantity: 1 }] };
  const metadata = { "idempotency-key": randomUUID() };
  const first = await orders.client.placeOrder(two, { metadata });

  writeFileSync(file, "limits: { itemsPerOrder: 1 }\\n");
  await orders.process.logged("settings changed", 20_000);
  await assert.rejects(
    orders.client.placeOrder(two, { metadata: { "idempotency-key": randomUUID() } }),
    (error) => codeOf(error) === "invalid_argument",
  );
  assert.deepEqual(await orders.client.placeOrder(two, { metadata }), first);
  assert.equal((await orders.client.placeOrder({ ...two, items: tea })).version, 1n);
  rmSync(folder, { recursive: true });
});

`,
      },
      {
        at: 'import test, { after, before } from "node:test";\n',
        before: `import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
`,
      },
    ],
  },
];
