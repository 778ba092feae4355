import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import test from "node:test";
import { choice, choices, decimal, flag, text, texts, UsageError, whole } from "./options.ts";
import { type CommandSpec, helpOf, readCommand } from "./read-command.ts";
import { messageOf } from "./run-command.ts";
import { hasColors, isLive, Progress } from "./terminal.ts";

const options = {
  rounds: whole("rounds of kills", { least: 1, most: 1_000, preset: 24 }),
  share: decimal("a share", { least: 0, most: 1, takes: "SHARE" }),
  adapter: choice("carrier of the events", ["postgres", "kafka"], { preset: "postgres" }),
  only: choices("these parts", ["rpc", "gateway"]),
  scale: texts("replicas", "SERVICE=N", "s"),
  url: text("address"),
  fresh: flag("begins without data"),
};
const spec = { name: "npm run demo", about: "Places orders.", options } satisfies CommandSpec<typeof options>;
const read = (...args: string[]) => readCommand(spec, args)?.values;

test("options that are not given have their defaults", () => {
  assert.deepEqual(read(), {
    rounds: 24,
    share: undefined,
    adapter: "postgres",
    only: ["rpc", "gateway"],
    scale: [],
    url: undefined,
    fresh: false,
  });
});

test("options are read in every spelling", () => {
  const given = read(
    "--rounds=3",
    "--share",
    "0.5",
    "--adapter",
    "kafka",
    "--only",
    "rpc",
    "-s",
    "a=1",
    "--scale",
    "b=2",
  );
  assert.deepEqual(given, {
    rounds: 3,
    share: 0.5,
    adapter: "kafka",
    only: ["rpc"],
    scale: ["a=1", "b=2"],
    url: undefined,
    fresh: false,
  });
});

for (const { args, says } of [
  { args: ["--round", "3"], says: "there is no option --round; did you mean --rounds?" },
  { args: ["--hlep"], says: "there is no option --hlep; did you mean --help?" },
  { args: ["--fr"], says: "there is no option --fr; did you mean --fresh?" },
  { args: ["-x"], says: /^there is no option -x; it takes --rounds, --share, / },
  { args: ["--constructor"], says: /^there is no option --constructor; it takes / },
  { args: ["--rounds"], says: "--rounds needs a value: --rounds N" },
  { args: ["--rounds", "--fresh"], says: "--rounds needs a value: --rounds N" },
  { args: ["--rounds", "0"], says: '--rounds takes a whole number from 1 to 1000, not "0"; the nearest is 1' },
  { args: ["--rounds", "-5"], says: '--rounds takes a whole number from 1 to 1000, not "-5"; the nearest is 1' },
  { args: ["--rounds", "1.5"], says: '--rounds takes a whole number from 1 to 1000, not "1.5"; the nearest is 2' },
  { args: ["--rounds", "many"], says: '--rounds takes a whole number from 1 to 1000, not "many"' },
  { args: ["--rounds="], says: '--rounds takes a whole number from 1 to 1000, not ""' },
  { args: ["--rounds", "1", "--rounds", "2"], says: "--rounds is given twice" },
  { args: ["--fresh=yes"], says: "--fresh takes no value" },
  { args: ["--adapter", "kafak"], says: '--adapter takes postgres or kafka, not "kafak"; did you mean kafka?' },
  { args: ["--only", "rpc,gatewya"], says: '--only takes rpc or gateway, not "gatewya"; did you mean gateway?' },
  { args: ["fresh"], says: 'it takes options only, not "fresh"' },
  { args: ["--", "--quiet"], says: 'nothing may follow "--", got "--quiet"' },
]) {
  test(`${args.join(" ")}: ${String(says)}`, () => {
    assert.throws(
      () => read(...args),
      (error: Error) => {
        assert.ok(error instanceof UsageError);
        if (typeof says === "string") assert.equal(error.message, says);
        else assert.match(error.message, says);
        return true;
      },
    );
  });
}

const parts = { name: "npm run chaos", about: "Breaks it.", words: { rolling: "one at a time", stop: "all at once" } };

test("words are checked as options are", () => {
  assert.deepEqual(readCommand(parts, ["rolling", "stop"])?.words, ["rolling", "stop"]);
  assert.throws(
    () => readCommand(parts, ["rollign"]),
    /^UsageError: there is no part "rollign"; did you mean rolling\?$/,
  );
  const one = { ...parts, take: "one" } as const;
  assert.throws(() => readCommand(one, []), /it takes one of rolling, stop$/);
  assert.throws(() => readCommand(one, ["stop", "stop"]), /it takes one of rolling, stop, not 2$/);
});

test("arguments after two dashes are passed on if the command says so", () => {
  assert.deepEqual(readCommand({ ...parts, passes: "K6 OPTIONS" }, ["stop", "--", "--nosuch"])?.passed, ["--nosuch"]);
});

test("help wins over whatever else is wrong, and lists each option with its value and default", () => {
  assert.equal(read("--nosuch", "--help"), undefined);
  assert.equal(read("-h"), undefined);
  assert.equal(
    helpOf({ ...spec, notes: ["Exit code 1 if one is lost."] }),
    `Usage: npm run demo -- [OPTIONS]

Places orders.

  --rounds N                rounds of kills (24)
  --share SHARE             a share
  --adapter postgres|kafka  carrier of the events (postgres)
  --only A,B                these parts: rpc, gateway
  --scale SERVICE=N         replicas
  --url TEXT                address
  --fresh                   begins without data
  --help                    shows this

Exit code 1 if one is lost.`,
  );
});

for (const { args, code, out = /^$/, complaint = /^$/ } of [
  { args: ["--help"], code: 0, out: /^Usage: npm run x/ },
  {
    args: ["--nosuch"],
    code: 2,
    complaint: /^npm run x: there is no option --nosuch; it takes --fail \(--help lists all\)\n$/,
  },
  { args: ["--fail", "error"], code: 1, complaint: /^the disk is full\n$/ },
  { args: ["--fail", "bug"], code: 1, complaint: /TypeError.*\n +at / },
  { args: ["--fail", "usage"], code: 2, complaint: /^npm run x: too many/ },
  { args: [], code: 3 },
]) {
  test(`a command with ${args.join(" ") || "nothing"} exits ${code}`, () => {
    const folder = mkdtempSync(join(tmpdir(), "command-"));
    try {
      const file = join(folder, "main.ts");
      const module = JSON.stringify(resolve(import.meta.dirname, "index.ts"));
      writeFileSync(
        file,
        `import { runCommand, text, UsageError } from ${module};
         await runCommand({ name: "npm run x", about: "Tests.", options: { fail: text("how") } }, ({ values: { fail } }) => {
           if (fail === "error") throw new Error("the disk is full");
           if (fail === "bug") throw new TypeError("x is undefined");
           if (fail === "usage") throw new UsageError("too many");
           return 3;
         });`,
      );
      const child = spawnSync(process.execPath, ["-C", "source", file, ...args], {
        encoding: "utf8",
        env: { ...process.env, FORCE_COLOR: undefined, NODE_OPTIONS: undefined },
      });
      assert.match(child.stderr, complaint);
      assert.match(child.stdout, out);
      assert.equal(child.status, code);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

for (const { error, want } of [
  { error: new Error("the disk is full"), want: "the disk is full" },
  { error: new Error("not started", { cause: new Error("no Docker") }), want: "not started\n  because: no Docker" },
  { error: new Error("not started: no Docker", { cause: new Error("no Docker") }), want: "not started: no Docker" },
  { error: new SuppressedError(new Error("not removed"), new Error("not started")), want: "not started\nnot removed" },
  { error: new AggregateError([new Error("a"), new Error("b")]), want: "a\nb" },
]) {
  test(`the message of an error is ${JSON.stringify(want)}`, () => assert.equal(messageOf(error), want));
}

const terminal = { isTTY: true, columns: 20, write: () => true };
const pipe = { write: () => true };

for (const { name, output, environment, live, colors } of [
  { name: "a terminal", output: terminal, environment: {}, live: true, colors: true },
  { name: "a pipe", output: pipe, environment: {}, live: false, colors: false },
  { name: "a terminal in a build", output: terminal, environment: { CI: "true" }, live: false, colors: false },
  { name: "CI=false", output: terminal, environment: { CI: "false" }, live: true, colors: true },
  {
    name: "a terminal that knows no escapes",
    output: terminal,
    environment: { TERM: "dumb" },
    live: false,
    colors: false,
  },
  { name: "NO_COLOR", output: terminal, environment: { NO_COLOR: "1" }, live: true, colors: false },
  {
    name: "NO_COLOR and FORCE_COLOR",
    output: terminal,
    environment: { NO_COLOR: "1", FORCE_COLOR: "1" },
    live: true,
    colors: false,
  },
  { name: "FORCE_COLOR on a pipe", output: pipe, environment: { FORCE_COLOR: "1" }, live: false, colors: true },
  {
    name: "FORCE_COLOR=0 on a terminal",
    output: terminal,
    environment: { FORCE_COLOR: "0" },
    live: true,
    colors: false,
  },
]) {
  test(`${name}: ${live ? "lines are rewritten" : "lines stay"}, ${colors ? "with" : "without"} colours`, () => {
    assert.deepEqual([isLive(output, environment), hasColors(output, environment)], [live, colors]);
  });
}

function written(output: object, environment: NodeJS.ProcessEnv, everyMs: number): string {
  let all = "";
  using progress = new Progress({ ...output, write: (text) => (all += text) }, environment, everyMs);
  progress.show("round 1 of 3, which is a long line");
  progress.show("round 2 of 3", { now: true });
  progress.line("a kill");
  progress.show("round 3 of 3", { now: true });
  progress[Symbol.dispose]();
  return all;
}

test("on a terminal, progress is one line that is rewritten, cut at its width, and gone at the end", () => {
  const start = "\r\u001b[2K";
  assert.equal(
    written(terminal, {}, 0),
    `${start}round 1 of 3, which${start}round 2 of 3${start}a kill\n${start}round 3 of 3${start}`,
  );
});

test("without a terminal, progress is plain lines", () => {
  assert.equal(written(pipe, {}, 0), "round 1 of 3, which is a long line\nround 2 of 3\na kill\nround 3 of 3\n");
});

test("progress that comes too often is left out", () => {
  let all = "";
  using progress = new Progress({ ...pipe, write: (text) => (all += text) }, {}, 60_000);
  for (let round = 1; round <= 100; round++) progress.show(`round ${round}`);
  assert.equal(all, "round 1\n");
});
