import assert from "node:assert/strict";
import test from "node:test";
import { type Claim, judge } from "./claim.ts";
import { readResults, renderPage, withOutcome } from "./page.ts";

const claim: Claim = {
  claim: "It | works",
  command: "npm run a | b",
  prints: "works",
  figure: /took (\d+ s)/,
  cost: "fast",
};
const tests: Claim = { claim: "It is tested", command: "npm test", cost: "tests" };
const results = withOutcome(new Map(), claim, { verdict: "proven", figure: "3 s" }, "2026-01-02");

test("results that were written are read back", () => {
  const page = renderPage([claim, tests], results);
  assert.deepEqual(readResults(page), results);
  assert.equal(renderPage([claim, tests], readResults(page)), page);
});

test("a claim with another command has no result", () => {
  const page = renderPage([{ ...claim, command: "npm run c" }], results);
  assert.deepEqual(readResults(page).size, 0);
});

test("a claim that fails loses its result, and one that could not be run keeps it", () => {
  assert.equal(withOutcome(results, claim, { verdict: "failed" }, "2026-01-03").size, 0);
  assert.deepEqual(withOutcome(results, claim, { verdict: "not proven" }, "2026-01-03"), results);
});

for (const { name, of, ran, want } of [
  { name: "a command that prints its text", of: claim, ran: { code: 0, output: "works, took 3 s" }, want: "proven" },
  { name: "a command that fails", of: claim, ran: { code: 1, output: "works, took 3 s" }, want: "failed" },
  { name: "a command that is killed", of: claim, ran: { code: null, output: "works, took 3 s" }, want: "failed" },
  { name: "a command that prints something else", of: claim, ran: { code: 0, output: "took 3 s" }, want: "failed" },
  { name: "a command without its figure", of: claim, ran: { code: 0, output: "works" }, want: "failed" },
  { name: "tests that pass", of: tests, ran: { code: 0, output: "ℹ pass 2\nℹ fail 0\nℹ skipped 0\n" }, want: "proven" },
  { name: "a run of no tests", of: tests, ran: { code: 0, output: "ℹ pass 0\nℹ fail 0\n" }, want: "failed" },
  { name: "tests that fail", of: tests, ran: { code: 0, output: "ℹ pass 2\nℹ fail 1\n" }, want: "failed" },
  {
    name: "tests that are skipped",
    of: tests,
    ran: { code: 0, output: "ℹ pass 2\nℹ skipped 1\n" },
    want: "not proven",
  },
] as const) {
  test(`${name}: ${want}`, () => assert.equal(judge(of, ran).verdict, want));
}

test("a figure is read through colours", () =>
  assert.equal(judge(claim, { code: 0, output: "\x1b[1mworks\x1b[0m, took \x1b[32m3 s\x1b[0m" }).figure, "3 s"));
