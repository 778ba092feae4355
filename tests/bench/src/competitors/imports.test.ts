import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { root } from "./workshop.ts";

test("the competitors import only files that exist, since no compiler reads them", () => {
  const folder = join(root, "tests/bench/competitors");
  const files = globSync("*.js", { cwd: folder });
  assert.ok(files.length > 5);
  const imports = files.flatMap((file) => {
    const text = readFileSync(join(folder, file), "utf8");
    return [...text.matchAll(/ from "(\.[^"]*)"/g)].map(([, path = ""]) => ({ file, path }));
  });
  assert.deepEqual(
    imports.filter(({ path }) => !existsSync(resolve(folder, path))),
    [],
  );
});

test("every proto that the competitors load imports only files in their folders", () => {
  const client = readFileSync(join(root, "tests/bench/competitors/client.js"), "utf8");
  const [, folders = ""] = /includeDirs: \[([^\]]*)\]/.exec(client) ?? [];
  const found = [...folders.matchAll(/\$\{root\}([^`]*)`/g)].map(([, folder = ""]) => join(root, folder));
  for (const proto of ["greeter/v1/greeter.proto", "orders/v1/orders.proto"]) {
    const text = readFileSync(join(root, "protos", proto), "utf8");
    const imports = [...text.matchAll(/^import "([^"]*)";/gm)].map(([, path = ""]) => path);
    // The loader brings those of protobuf itself.
    const others = imports.filter((path) => !path.startsWith("google/protobuf/"));
    assert.deepEqual(
      others.filter((path) => !found.some((folder) => existsSync(join(folder, path)))),
      [],
    );
  }
});
