import assert from "node:assert/strict";
import { test } from "node:test";
import { compareAllocations } from "./guard.ts";

const of = (bytesPerCall: Readonly<Record<string, number>>) => ({ node: "v26.0.0", bytesPerCall });

for (const { name, before, after, want } of [
  { name: "as many bytes", before: { greeter: 1_000 }, after: { greeter: 1_000 }, want: [] },
  { name: "fewer bytes", before: { greeter: 1_000 }, after: { greeter: 800 }, want: [] },
  { name: "5 % more", before: { greeter: 1_000 }, after: { greeter: 1_050 }, want: [] },
  { name: "more than 5 % more", before: { greeter: 1_000 }, after: { greeter: 1_051 }, want: ["greeter"] },
  { name: "a service without a baseline", before: {}, after: { greeter: 1_000 }, want: ["greeter"] },
  { name: "a service that is not measured", before: { greeter: 1_000 }, after: {}, want: ["greeter"] },
]) {
  test(`${name}: ${want.length === 0 ? "passes" : "fails"}`, () => {
    const compared = compareAllocations(of(before), of(after));
    assert.deepEqual(
      compared.filter(({ isMore }) => isMore).map(({ service }) => service),
      want,
    );
  });
}
