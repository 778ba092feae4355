/** The changes of docs/add-a-field.md, made in a copy of the repository where everything passes. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Copy } from "../copy.ts";
import { apply } from "./apply.ts";
import { itemsBound, note } from "./changes.ts";

let copy: Copy;
before(async () => {
  copy = new Copy();
  await commit();
});
after(() => copy[Symbol.dispose]());

async function passes(command: string, ...args: string[]): Promise<string> {
  const { status, output } = await copy.run(command, args);
  assert.equal(status, 0, `${command} ${args.join(" ")} failed:\n${output.slice(-6_000)}`);
  return output;
}

async function commit(): Promise<void> {
  await passes("git", "add", "--all");
  await passes("git", "-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "--quiet", "-m", "step");
}

/** Returns the files that differ from the last commit. */
async function changedFiles(): Promise<readonly string[]> {
  const output = await passes("git", "status", "--porcelain", "--untracked-files=all");
  return output.split("\n").flatMap((line) => (line === "" ? [] : [line.slice(3)]));
}

test("a note on an order takes 8 files, one of them written by a command", async () => {
  apply(note, copy.folder);
  assert.match(await passes("npm", "run", "fixtures"), /written: .*orders\.v1\.OrderPlaced/);
  const files = await changedFiles();
  assert.equal(files.length, 8, files.join("\n"));
  await commit();
});

test("a live bound on items takes 6 files, one of them written by a command", async () => {
  apply(itemsBound, copy.folder);
  await passes("npm", "run", "settings");
  assert.match(copy.read("docs/settings.md"), /`ORDERS_LIMITS_ITEMS_PER_ORDER` .*\*\*live\*\*/);
  const files = await changedFiles();
  assert.equal(files.length, 6, files.join("\n"));
});

test("types of the whole repository, lint, boundaries, settings and protos pass", async () => {
  const include = ["apps", "libs", "tools", "tests"].flatMap((folder) => [`${folder}/*/src`, `${folder}/*/test`]);
  writeFileSync(join(copy.folder, "tsconfig.walk.json"), JSON.stringify({ extends: "./tsconfig.json", include }));
  await passes("tsc", "-p", "tsconfig.walk.json");
  const code = [...note, ...itemsBound].flatMap(({ file }) => (file.endsWith(".ts") ? [file] : []));
  await passes("oxlint", "--type-aware", "--deny-warnings", ...code);
  await passes("biome", "ci", ...code);
  await passes("npm", "run", "boundaries");
  await passes("npm", "run", "settings", "--", "--check");
  await passes("npm", "run", "breaking", "-w", "libs/contracts");
});

test("the OpenAPI document has the bound of the note", async () => {
  const program = `
    import { registry } from "./apps/gateway/src/config.ts";
    import { openApi, bindingsOf } from "@plumbline/transcoding";
    const info = { title: "", version: "1", description: "" };
    console.log(JSON.stringify(openApi(bindingsOf(registry), { info }).components.schemas));`;
  writeFileSync(join(copy.folder, "apps/gateway/openapi.ts"), program.replaceAll("./apps/gateway/", "./"));
  const output = await passes(process.execPath, "-C", "source", "apps/gateway/openapi.ts");
  const schemas = JSON.parse(output) as Readonly<
    Record<string, { properties?: Record<string, { maxLength?: number }> }>
  >;
  const [, request] = Object.entries(schemas).find(([name]) => name.endsWith("PlaceOrderRequest")) ?? [];
  assert.equal(request?.properties?.["note"]?.maxLength, 200, output);
});

test("the tests of contracts and orders pass, over memory and Postgres", async () => {
  await passes("npm", "test", "-w", "libs/contracts");
  const files = ["memory", "postgres", "process"].map((name) => `test/${name}.test.ts`);
  const output = await passes("npm", "test", "-w", "apps/orders", "--", ...files);
  assert.equal(output.match(/✔ a note is read, listed and announced/g)?.length, 2);
  assert.match(output, /✔ the bound on items changes live/);
});
