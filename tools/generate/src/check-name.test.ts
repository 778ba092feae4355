import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { whyNotName } from "./check-name.ts";
import type { Tree } from "./tree.ts";

const root = resolve(import.meta.dirname, "../../..");
const tree: Tree = {
  root,
  exists: (path) => existsSync(join(root, path)),
  read: (path) => readFileSync(join(root, path), "utf8"),
  write: () => assert.fail("a check writes nothing"),
  children: (folder) => readdirSync(join(root, folder)),
};

for (const name of ["cart", "gift-box", "a2", "invoice-archive"]) {
  test(`${name} is a name`, () => assert.equal(whyNotName(name, tree), undefined));
}

for (const { name, why } of [
  { name: "", why: /kebab-case/ },
  { name: "Cart", why: /kebab-case/ },
  { name: "gift_box", why: /kebab-case/ },
  { name: "gift--box", why: /kebab-case/ },
  { name: "-cart", why: /kebab-case/ },
  { name: "gift-2", why: /kebab-case/ },
  { name: "../cart", why: /kebab-case/ },
  { name: "x".repeat(31), why: /2 to 30/ },
  { name: "orders", why: /apps\/orders exists already/ },
  { name: "config", why: /libs\/config exists already/ },
  { name: "order", why: /meaning of its own/ },
  { name: "greeting", why: /route \/v1\/greetings is that of protos\/greeter/ },
  { name: "fulfilment", why: /protos\/fulfilment exists already/ },
  { name: "orders-archive", why: /would begin like those of orders/ },
  { name: "postgres", why: /reserved/ },
  { name: "google", why: /reserved/ },
  { name: "class", why: /meaning of its own/ },
  { name: "promise", why: /meaning of its own/ },
  { name: "user", why: /meaning of its own/ },
]) {
  test(`the name ${JSON.stringify(name)} is refused with the reason`, () =>
    assert.match(whyNotName(name, tree) ?? "", why));
}
