/** Our targets of the benches, started as they are there. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { buildOurs } from "./build.ts";
import { Running } from "./program.ts";
import { shipped } from "./shipped.ts";
import { type Target, targets } from "./targets.ts";

const root = resolve(import.meta.dirname, "../../../..");
const folder = mkdtempSync(join(tmpdir(), "plumbline-bench-"));
after(() => rmSync(folder, { recursive: true, force: true }));
// Nothing is behind a gateway alone, and no spans are exported.
const parts = {
  root,
  folder,
  go: undefined,
  competitors: undefined,
  upstream: 1,
  collector: "http://127.0.0.1:1",
};
let all: readonly Target[];

before(async () => {
  buildOurs(root, ["gateway", "greeter"]);
  all = [...(await targets(parts)), ...(await shipped(parts))].filter(({ group }) => group === "chain");
});

test("gateway and greeter start as bare, full and as they ship, and a greeting comes back", async (t) => {
  assert.deepEqual(
    all.map(({ name, mode }) => `${name}, ${mode}`),
    [
      "gateway + greeter (grpc-js), bare",
      "gateway + greeter (grpc-js), full",
      "gateway + greeter (http2), bare",
      "gateway + greeter (http2), full",
      "gateway + greeter (http2), as it ships",
    ],
  );
  for (const { name, mode, programs, behind = [], authorization } of all) {
    await using stack = new AsyncDisposableStack();
    const started: Running[] = [];
    for (const program of [...behind, ...programs])
      started.push(stack.use(await Running.start(program, undefined, folder)));
    const headers = new Headers(await authorization?.());
    const answer = await fetch(`http://127.0.0.1:${started.at(-1)?.port}/v1/greetings/World`, { headers });
    assert.equal(answer.status, 200, `${name}, ${mode}: ${await answer.text()}`);
    t.diagnostic(
      `${name}, ${mode}: it listened after ${started.map(({ startMs }) => Math.round(startMs)).join(", ")} ms`,
    );
  }
});
