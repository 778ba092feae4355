import assert from "node:assert/strict";
import test from "node:test";
import { measuringVerbs, runAll } from "./all.ts";

test("every verb that measures runs, also after one that misses a target, and the result says so", async () => {
  const ran: string[] = [];
  const printed: string[] = [];
  const run = async (verb: string) => {
    ran.push(verb);
    return verb === "faults" ? 1 : 0;
  };
  assert.equal(await runAll(run, (text) => printed.push(text)), 1);
  assert.deepEqual(ran, [...measuringVerbs]);
  assert.match(printed.join("\n"), /faults.*MISSED, exit code 1/);
  assert.equal(
    await runAll(
      async () => 0,
      () => undefined,
    ),
    0,
  );
});
