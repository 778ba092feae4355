/** The program as a process: its arguments, its exit codes, and its way from start to stop. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";

function start(args: readonly string[], environment: Readonly<Record<string, string>> = {}): ChildProcess {
  return spawn(process.execPath, ["-C", "source", join(import.meta.dirname, "programs/sample.ts"), ...args], {
    cwd: import.meta.dirname,
    env: { PATH: process.env["PATH"], ...environment },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 30_000,
    killSignal: "SIGKILL",
  });
}

async function ended(child: ChildProcess) {
  assert.ok(child.stdout && child.stderr);
  const [output, errors, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { output, errors, code: code as unknown };
}

test("without an argument the service serves until SIGTERM, drains, and exits with 0", async () => {
  const child = start([], { SAMPLE_DRAIN_MS: "10" });
  assert.ok(child.stdout);
  child.stdout.setEncoding("utf8");
  const [line] = (await once(child.stdout, "data")) as [string];
  assert.match(line, /^ready \d+\n$/);
  const ready = await fetch(`http://127.0.0.1:${line.trim().split(" ")[1]}/readyz`);
  assert.equal(ready.status, 200);
  child.kill("SIGTERM");
  const { output, errors, code } = await ended(child);
  assert.deepEqual([output, errors, code], ["drained\n", "", 0]);
});

test("the argument migrate runs the migration and nothing else", async () => {
  const { output, errors, code } = await ended(start(["migrate"]));
  assert.deepEqual([output, errors, code], ["sample is migrated\n", "", 0]);
});

for (const { name, args, environment, want } of [
  {
    name: "an unknown argument",
    args: ["migrat"],
    want: 'sample: unknown argument "migrat": it takes no argument, or "migrate"; see --help\n',
  },
  {
    name: "an argument after migrate",
    args: ["migrate", "--force"],
    want: 'sample: unknown argument "--force": it takes no argument, or "migrate"; see --help\n',
  },
  {
    name: "migrate of a service that has no migration",
    args: ["migrate"],
    environment: { WITH_MIGRATE: "no" },
    want: 'sample: unknown argument "migrate": it takes no argument; see --help\n',
  },
]) {
  test(`${name} is refused in one line with exit code 2, before settings are read`, async () => {
    const { output, errors, code } = await ended(start(args, { ...environment, SAMPLE_GRACE_MS: "soon" }));
    assert.deepEqual([output, errors, code], ["", want, 2]);
  });
}

test("--help prints the arguments and where settings come from, with exit code 0", async () => {
  const { output, code } = await ended(start(["--help"], { SAMPLE_GRACE_MS: "soon" }));
  assert.match(output, /^Usage: sample \[migrate\]\n/);
  assert.match(output, /config\/sample\.yaml.*\n.*SAMPLE_/);
  assert.equal(code, 0);
});

test("wrong settings are printed all at once, without a stack, with exit code 1", async () => {
  const { errors, code } = await ended(start([], { SAMPLE_GRACE_MS: "soon", SAMPLE_COLOUR: "red" }));
  assert.match(errors, /^ConfigError: .*2 problems/);
  for (const name of ["SAMPLE_GRACE_MS", "SAMPLE_COLOUR"]) assert.match(errors, new RegExp(name));
  assert.doesNotMatch(errors, /^ {4}at /m);
  assert.equal(code, 1);
});
