import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

const root = join(import.meta.dirname, "../../..");
const buf = join(root, "node_modules/.bin/buf");

/** Compares a copy of the protos, with one file edited, to the released image. */
function compare(file: string, edit: (source: string) => string): { code: number | null; output: string } {
  const copy = mkdtempSync(join(tmpdir(), "protos-"));
  try {
    cpSync(join(root, "protos"), join(copy, "protos"), { recursive: true });
    cpSync(join(root, "buf.yaml"), join(copy, "buf.yaml"));
    symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
    const path = join(copy, "protos", file);
    writeFileSync(path, edit(readFileSync(path, "utf8")));
    const args = ["breaking", "protos", "--against", "protos/released.binpb", "--exclude-imports"];
    const { status, stdout, stderr } = spawnSync(buf, args, { cwd: copy, encoding: "utf8" });
    return { code: status, output: `${stdout}${stderr}` };
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

for (const { name, file, from, to, says } of [
  {
    name: "a renumbered field",
    file: "orders/v1/events.proto",
    from: "string customer_id = 2;",
    to: "string customer_id = 9;",
    says: "OrderPlaced",
  },
  {
    name: "a field that an event lost",
    file: "fulfilment/v1/events.proto",
    from: "  orders.v1.Money total = 2;\n",
    to: "",
    says: "OrderFulfilled",
  },
  {
    name: "a changed type",
    file: "orders/v1/orders.proto",
    from: "int64 minor_units = 2;",
    to: "int32 minor_units = 2;",
    says: "minor_units",
  },
  {
    name: "a removed method",
    file: "greeter/v1/greeter.proto",
    from: /\n {2}\/\/ SayHello[\s\S]*?\n {2}}\n/,
    to: "\n",
    says: "SayHello",
  },
] satisfies { name: string; file: string; from: string | RegExp; to: string; says: string }[]) {
  test(`${name} is refused against the released protos`, () => {
    const { code, output } = compare(file, (source) => {
      const edited = source.replace(from, to);
      assert.notEqual(edited, source);
      return edited;
    });
    assert.equal(code, 100, output);
    assert.match(output, new RegExp(says));
  });
}

test("a field that is only added is accepted", () => {
  const { code, output } = compare("orders/v1/events.proto", (source) =>
    source.replace("string customer_id = 2;", "string customer_id = 2;\n  string added_by_a_test = 90;"),
  );
  assert.equal(code, 0, output);
});
