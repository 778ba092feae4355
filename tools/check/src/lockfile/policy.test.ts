import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import test from "node:test";
import { checkAges } from "./age.ts";
import type { Release } from "./lock.ts";
import { checkPolicy, type Installation, policy } from "./policy.ts";
import { factsOf, NoAnswer } from "./registry.ts";

const root = resolve(import.meta.dirname, "../../../..");
const read = (path: string) => readFileSync(join(root, path), "utf8");
const hash = `sha512-${"a".repeat(86)}==`;

test("this repository keeps the policy", () => {
  const manifests = globSync(["package.json", "{apps,libs,tests,tools}/*/package.json"], { cwd: root });
  const installation = {
    packages: JSON.parse(read("package-lock.json")).packages,
    manifests: Object.fromEntries(manifests.map((path) => [path, JSON.parse(read(path))])),
    npmrc: read(".npmrc"),
  };
  assert.ok(manifests.length > 20);
  assert.deepEqual(checkPolicy(installation, policy), []);
});

const npmrc = "ignore-scripts=true\nmin-release-age=3\n; a comment\nsave-exact = true\n";

const good: Installation = {
  packages: {
    "": {},
    "node_modules/a": { version: "1.0.0", integrity: hash, hasInstallScript: true },
    "node_modules/@our/b": { link: true, resolved: "libs/b" },
    "libs/b": { version: "0.1.0" },
  },
  manifests: { "package.json": { scripts: { start: "x" }, dependencies: { a: "1.0.0" } } },
  npmrc,
};
const scriptsThatStayOff = { a: "not needed" };

test("an installation that keeps the policy has no findings", () =>
  assert.deepEqual(checkPolicy(good, { scriptsThatStayOff }), []));

const a = good.packages["node_modules/a"];
for (const { name, installation, want } of [
  {
    name: "an entry without a hash",
    installation: { packages: { ...good.packages, "node_modules/c": { version: "2.0.0" } } },
    want: "c@2.0.0: no sha512 hash: npm run lockfile",
  },
  {
    name: "an entry with a weak hash",
    installation: { packages: { ...good.packages, "node_modules/a": { ...a, integrity: "sha1-abc=" } } },
    want: "a@1.0.0: no sha512 hash: npm run lockfile",
  },
  {
    name: "an entry with the address of an archive",
    installation: { packages: { ...good.packages, "node_modules/a": { ...a, resolved: "https://a.example/a.tgz" } } },
    want: "a@1.0.0: an address of its own: npm takes it from there, not from the registry that it is set up with",
  },
  {
    name: "an entry from git",
    installation: {
      packages: { ...good.packages, "node_modules/a": { ...a, resolved: "git+ssh://git@a.example/a.git#0" } },
    },
    want: "a@1.0.0: an address of its own: npm takes it from there, not from the registry that it is set up with",
  },
  {
    name: "a link out of the repository",
    installation: { packages: { ...good.packages, "node_modules/@our/b": { link: true, resolved: "../b" } } },
    want: "node_modules/@our/b: links to ../b, outside of this repository",
  },
  {
    name: "an install script that is not on the list",
    installation: {
      packages: {
        ...good.packages,
        "node_modules/a/node_modules/c": { version: "2.0.0", integrity: hash, hasInstallScript: true },
      },
    },
    want: "c@2.0.0: brings an install script: see that it works without, and name it in policy.ts",
  },
  {
    name: "a name in the list of scripts that brings none",
    installation: { packages: { ...good.packages, "node_modules/a": { version: "1.0.0", integrity: hash } } },
    want: "policy.ts: a brings no install script: take it off the list",
  },
  {
    name: "install scripts that are on",
    installation: { npmrc: `${npmrc}ignore-scripts=false\n` },
    want: ".npmrc: ignore-scripts is not true, so install scripts run",
  },
  {
    name: "npm with another least age than the check",
    installation: { npmrc: npmrc.replace("age=3", "age=1") },
    want: ".npmrc: min-release-age is not 3, so `npm install` takes releases that npm run check refuses",
  },
  {
    name: "npm that writes ranges",
    installation: { npmrc: npmrc.replace("save-exact", "#save-exact") },
    want: ".npmrc: save-exact is not true, so `npm install` writes ranges",
  },
  {
    name: "another registry",
    installation: { npmrc: `${npmrc}registry=https://a.example/\n` },
    want: ".npmrc: registry decides where packages come from: that belongs to each user",
  },
  {
    name: "another registry for one scope",
    installation: { npmrc: `${npmrc}@a:registry = https://a.example/\n` },
    want: ".npmrc: @a:registry decides where packages come from: that belongs to each user",
  },
  {
    name: "a token",
    installation: { npmrc: `${npmrc}//a.example/:_authToken=secret\n` },
    want: ".npmrc: //a.example/:_authToken decides where packages come from: that belongs to each user",
  },
  {
    name: "an install script of a package under another name",
    installation: {
      packages: {
        ...good.packages,
        "node_modules/a-alias": { name: "c", version: "2.0.0", integrity: hash, hasInstallScript: true },
      },
    },
    want: "c@2.0.0: brings an install script: see that it works without, and name it in policy.ts",
  },
  {
    name: "a range of versions",
    installation: { manifests: { "libs/b/package.json": { devDependencies: { a: "^1.0.0" } } } },
    want: "libs/b/package.json: a is ^1.0.0: an exact version is wanted",
  },
  {
    name: "a dependency by address",
    installation: { manifests: { "libs/b/package.json": { optionalDependencies: { a: "github:a/a" } } } },
    want: "libs/b/package.json: a is github:a/a: an exact version is wanted",
  },
  {
    name: "an install script of our own",
    installation: { manifests: { "libs/b/package.json": { scripts: { prepare: "x" } } } },
    want: "libs/b/package.json: prepare does not run with ignore-scripts: start it by a command",
  },
]) {
  test(`refused: ${name}`, () =>
    assert.deepEqual(checkPolicy({ ...good, ...installation }, { scriptsThatStayOff }), [want]));
}

const now = new Date("2026-06-10T00:00:00Z");
const released = (days: number) => ({ released: new Date(now.getTime() - days * 86_400_000) });
const releases: readonly Release[] = ["a", "b", "c", "d", "e", "f"].map((name) => ({ name, version: "1.0.0" }));

test("a release of two days is refused, one of three days is not", async () => {
  const verdict = await checkAges(releases, async ({ name }) => released(name === "b" ? 2 : 3), now);
  assert.deepEqual(verdict, {
    problems: ["b@1.0.0 was released 2.0 days ago: take an older version, or wait until it is 3 days old"],
    unchecked: [],
    checked: 6,
  });
});

test("a release without a date is not checked, and named", async () => {
  const verdict = await checkAges(releases, async ({ name }) => (name === "c" ? {} : released(9)), now);
  assert.deepEqual(verdict, {
    problems: [],
    unchecked: ["the age of c@1.0.0: the registry gives no date"],
    checked: 5,
  });
});

test("without a network no age is checked, and the registry is asked a few times only", async () => {
  let asked = 0;
  const verdict = await checkAges(
    releases,
    async () => {
      asked += 1;
      throw new NoAnswer("none");
    },
    now,
  );
  assert.deepEqual(verdict.unchecked, ["the age of a@1.0.0, b@1.0.0, c@1.0.0 and 3 more: the registry gave no answer"]);
  assert.deepEqual([verdict.problems, verdict.checked], [[], 0]);
  assert.ok(asked < releases.length, `${asked} questions`);
});

test("a known date is not asked for again", async () => {
  const dates = new Map<string, string>();
  await checkAges(releases, async () => released(2), now, dates);
  const ask = async () => assert.fail("asked again");
  assert.equal((await checkAges(releases, ask, now, dates)).problems.length, 6);
});

test("a date that is none counts as no date", () => {
  assert.deepEqual(factsOf({ "dist.integrity": hash, time: { "1.0.0": "soon" } }, "1.0.0"), { integrity: hash });
  assert.deepEqual(factsOf({ time: { "1.0.0": "2026-01-02T00:00:00Z" } }, "1.0.0"), {
    released: new Date("2026-01-02T00:00:00Z"),
  });
});
