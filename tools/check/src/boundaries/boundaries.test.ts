import assert from "node:assert/strict";
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import test from "node:test";
import { checkLayers, type Project } from "./layers.ts";
import { checkFile } from "./service.ts";
import { checkWorkspace } from "./workspace.ts";

const root = resolve(import.meta.dirname, "../../../..");
const project = (
  name: string,
  layer: string,
  dependencies: string[] = [],
  devDependencies: string[] = [],
): Project => ({
  name,
  tags: [`layer:${layer}`],
  dependencies,
  devDependencies,
});

for (const { name, projects, want } of [
  {
    name: "an app may import a library",
    projects: [project("orders", "app", ["rpc"]), project("rpc", "communication")],
    want: [],
  },
  {
    name: "a library must not import an app",
    projects: [project("rpc", "communication", ["orders"]), project("orders", "app")],
    want: ["rpc (communication) must not import orders (app)"],
  },
  {
    name: "an app must not import another app",
    projects: [project("gateway", "app", ["orders"]), project("orders", "app")],
    want: ["gateway (app) must not import orders (app)"],
  },
  {
    name: "messaging must not import rpc",
    projects: [project("messaging", "communication", ["rpc"]), project("rpc", "communication")],
    want: ["messaging (communication) must not import rpc (communication)"],
  },
  {
    name: "tests may use real engines, code may not",
    projects: [project("messaging", "communication", ["engines"], ["engines"]), project("engines", "tool")],
    want: ["messaging (communication) must not import engines (tool)"],
  },
  {
    name: "a project without a layer is refused",
    projects: [{ name: "new", tags: [], dependencies: [], devDependencies: [] }],
    want: [
      "new needs one tag layer:NAME with NAME of foundation, process, driver, communication, platform, service-defaults, contracts, app, tool, test",
    ],
  },
]) {
  test(name, () => assert.deepEqual(checkLayers(projects), want));
}

for (const { name, path, text, want } of [
  {
    name: "a use case may import the domain",
    path: "use-cases/place-order.ts",
    text: 'import { Order } from "../domain/order.ts";',
    want: 0,
  },
  {
    name: "the domain must not import a use case",
    path: "domain/order.ts",
    text: 'import { x } from "../use-cases/ports.ts";',
    want: 1,
  },
  { name: "the domain must not import a library", path: "domain/order.ts", text: 'import pg from "pg";', want: 1 },
  {
    name: "a use case must not import an adapter",
    path: "use-cases/place-order.ts",
    text: 'import type { A } from "../postgres/a.ts";',
    want: 1,
  },
  {
    name: "one adapter must not import another",
    path: "rpc/service.ts",
    text: 'export { A } from "../postgres/a.ts";',
    want: 1,
  },
  {
    name: "a room that the table does not list is an adapter",
    path: "suppliers/ask-suppliers.ts",
    text: 'import { A } from "../postgres/a.ts";',
    want: 1,
  },
  {
    name: "a use case must not import a type of such a room",
    path: "use-cases/ports.ts",
    text: 'import type { A } from "../labels/draw-label.ts";',
    want: 1,
  },
  {
    name: "an import at run time counts too",
    path: "domain/order.ts",
    text: 'const x = await import("../main.ts");',
    want: 1,
  },
  { name: "nothing imports main.ts", path: "app.ts", text: 'import {\n  main,\n} from "./main.ts";', want: 1 },
  {
    name: "main.ts imports anything",
    path: "main.ts",
    text: 'import { A } from "./postgres/a.ts";\nimport { b } from "./app.ts";',
    want: 0,
  },
]) {
  test(name, () => assert.equal(checkFile(path, text).length, want));
}

test("every import of this workspace points the right way", () => assert.deepEqual(checkWorkspace(root), []));

test("a wrong dependency added to this workspace is found", () => {
  const copy = mkdtempSync(join(tmpdir(), "boundaries-"));
  try {
    for (const file of globSync(["{apps,libs,tests,tools}/*/package.json", "apps/*/src/**/*.ts"], { cwd: root })) {
      mkdirSync(dirname(join(copy, file)), { recursive: true });
      cpSync(join(root, file), join(copy, file));
    }
    const errors = join(copy, "libs/errors/package.json");
    const manifest = JSON.parse(readFileSync(errors, "utf8"));
    writeFileSync(errors, JSON.stringify({ ...manifest, dependencies: { "@plumbline/gateway": "0.1.0" } }));
    assert.deepEqual(checkWorkspace(copy), ["@plumbline/errors (foundation) must not import @plumbline/gateway (app)"]);
  } finally {
    rmSync(copy, { recursive: true });
  }
});
