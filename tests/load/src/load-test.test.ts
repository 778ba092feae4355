/** The script for k6 is kept in step with the API. k6 itself is not run here. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { join, resolve } from "node:path";
import test from "node:test";
import type * as Script from "../load-test.ts";

console.log("NOT TESTED: the load of k6, because k6 is not run here. Its requests are compared with the API.");

interface Sent {
  readonly method: string;
  readonly path: string;
  readonly name: string;
  readonly body?: string;
}

const sent: Sent[] = [];
const answer = (method: string, url: string, { tags }: { tags: { name: string } }, body?: string) => {
  sent.push({ method, path: new URL(url).pathname, name: tags.name, ...(body !== undefined && { body }) });
  return { status: 200, body: "", request: { method }, json: () => "an-id" };
};
/** The modules that k6 brings, as far as the script uses them. */
const modules: Readonly<Record<string, object>> = {
  k6: {
    check: (_: unknown, checks: Record<string, () => boolean>) => Object.values(checks).every((is) => is()),
    sleep() {},
  },
  "k6/execution": { default: { vu: { iterationInScenario: 0, idInTest: 1 }, test: { abort: assert.fail } } },
  "k6/http": {
    default: {
      get: (url: string, options: { tags: { name: string } }) => answer("get", url, options),
      post: (url: string, body: string, options: { tags: { name: string } }) => answer("post", url, options, body),
      expectedStatuses: () => undefined,
    },
  },
};

async function load(): Promise<typeof Script> {
  Object.assign(globalThis, { __ENV: {}, k6Modules: modules });
  const hooks = registerHooks({
    resolve(specifier, context, next) {
      const found = modules[specifier];
      if (found === undefined) return next(specifier, context);
      const names = Object.keys(found).map(
        (name) => `export ${name === "default" ? "default" : `const ${name} =`} m.${name};`,
      );
      const text = `const m = globalThis.k6Modules[${JSON.stringify(specifier)}];${names.join("")}`;
      return { url: `data:text/javascript,${encodeURIComponent(text)}`, shortCircuit: true };
    },
  });
  try {
    return await import("../load-test.ts");
  } finally {
    hooks.deregister();
  }
}

test("each request of the k6 script is a method of the API, and has a threshold of its own", async () => {
  const { default: visit, setup, options } = await load();
  visit(setup());
  const root = resolve(import.meta.dirname, "../../..");
  const routes = globSync("protos/**/*.proto", { cwd: root })
    .filter((file) => !file.includes("third_party"))
    .flatMap((file) => [...readFileSync(join(root, file), "utf8").matchAll(/\b(get|post): "(\/[^"]+)"/g)])
    .map(([, method = "", path = ""]) => ({ method, path: new RegExp(`^${path.replaceAll(/\{\w+\}/g, "[^/]+")}$`) }));
  const [ready, ...calls] = sent;
  assert.equal(ready?.path, "/readyz");
  for (const { method, path } of calls) {
    assert.ok(
      routes.some((route) => route.method === method && route.path.test(path)),
      `${method} ${path} is in no proto`,
    );
  }
  assert.deepEqual(
    calls.map(({ name }) => `http_req_duration{name:${name}}`).toSorted(),
    Object.keys(options.thresholds ?? {})
      .filter((name) => name.startsWith("http_req_duration"))
      .toSorted(),
  );
  const placed = JSON.parse(calls.find(({ method }) => method === "post")?.body ?? "") as { items: { sku: string }[] };
  assert.equal(placed.items[0]?.sku, "tea");
});
