/**
 * `npm run lockfile`: completes package-lock.json after a dependency changed. `npm run lockfile --
 * check` holds it to the policy.
 */
import { spawnSync } from "node:child_process";
import { globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { paint, runCommand } from "@plumbline/tools-stack/command";
import { checkAges, inParallel, leastAgeDays } from "./age.ts";
import { complete, missingEntries, withHashes, withoutHash } from "./complete.ts";
import { checkImages } from "./images.ts";
import { checkLicences } from "./licences.ts";
import { type LockPackages, type Release, releasesOf } from "./lock.ts";
import { checkPolicy, type Manifest, policy } from "./policy.ts";
import { askRegistry } from "./registry.ts";
import { checkWorkflows } from "./workflows.ts";

const root = resolve(import.meta.dirname, "../../../..");
const file = join(root, "package-lock.json");

await runCommand(
  {
    name: "npm run lockfile",
    about: "Adds the packages of other platforms to package-lock.json, with the registry's hashes.",
    words: { check: "writes nothing, fails when the packages break the policy or are too young" },
    notes: [
      "Run it after a dependency changed. The policy: every entry has a hash and no address, no install",
      `script runs, versions are exact, licences are free, and each release is ${leastAgeDays} days old. Actions`,
      "of workflows are named by their commit, and images by a version.",
    ],
  },
  async ({ words: [word] }) => (word === "check" ? await check() : await write()),
);

async function write(): Promise<number> {
  const lock = JSON.parse(readFileSync(file, "utf8")) as { packages: LockPackages };
  const added = Object.keys(missingEntries(lock.packages)).length;
  const completed = complete(lock.packages);
  const hashes = new Map<string, string>();
  const problems: string[] = [];
  await inParallel(4, withoutHash(completed), async (release) => {
    const name = `${release.name}@${release.version}`;
    const integrity = await askRegistry(release).then(
      (facts) => facts.integrity,
      (error: Error) => void problems.push(error.message),
    );
    if (integrity !== undefined) hashes.set(name, integrity);
  });
  const packages = withHashes(completed, hashes);
  writeFileSync(file, `${JSON.stringify({ ...lock, packages }, null, 2)}\n`);
  console.log(`package-lock.json: ${added} platform packages added, ${hashes.size} hashes`);
  for (const problem of problems) console.error(`${paint("red", "no hash")}  ${problem}`);
  return withoutHash(packages).length === 0 ? 0 : 1;
}

async function check(): Promise<number> {
  const { packages } = JSON.parse(readFileSync(file, "utf8")) as { packages: LockPackages };
  const manifests = Object.fromEntries(
    [
      "package.json",
      ...globSync(["{apps,libs,tests,tools}/*/package.json", "deploy/docker/package.json"], { cwd: root }),
    ].map((path) => [path, JSON.parse(readFileSync(join(root, path), "utf8")) as Manifest]),
  );
  const texts = (...patterns: readonly string[]) =>
    Object.fromEntries(globSync(patterns, { cwd: root }).map((path) => [path, readFileSync(join(root, path), "utf8")]));
  const workflows = texts(".github/workflows/*.yml");
  const images = texts(
    "deploy/docker/*Dockerfile",
    "docker-compose.yml",
    "deploy/compose/*.yml",
    "deploy/helm/*/values.yaml",
  );
  const problems = [
    ...checkPolicy({ packages, manifests, npmrc: readFileSync(join(root, ".npmrc"), "utf8") }, policy),
    ...checkLicences(packages, (path) => readJson(join(root, path, "package.json"))),
    ...checkWorkflows(workflows),
    ...checkImages(images),
  ];

  const memory = join(root, "node_modules/.cache/release-dates.json");
  const dates = new Map(Object.entries(readJson(memory)));
  const young = newReleases(packages);
  const ages = await checkAges(young, askRegistry, new Date(), dates);
  mkdirSync(dirname(memory), { recursive: true });
  writeFileSync(memory, JSON.stringify(Object.fromEntries(dates)));

  for (const one of ages.unchecked) console.log(`${paint("yellow", "NOT CHECKED")}  ${one}`);
  for (const one of [...problems, ...ages.problems]) console.error(`${paint("red", "refused")}  ${one}`);
  const releases = releasesOf(packages).size;
  console.log(
    `${releases} releases by the policy; ${releases - young.length} locked for ${leastAgeDays} days, ${ages.checked} asked for their date`,
  );
  return problems.length + ages.problems.length === 0 ? 0 : 1;
}

/** Returns the releases that this repository's history did not hold before the last days. */
function newReleases(packages: LockPackages): Release[] {
  const git = (...args: readonly string[]) =>
    spawnSync("git", args, { cwd: root, encoding: "utf8", maxBuffer: 64 * 2 ** 20 }).stdout ?? "";
  const commit = git("rev-list", "-1", `--before=${leastAgeDays} days ago`, "HEAD", "--", "package-lock.json").trim();
  const text = commit === "" ? "" : git("show", `${commit}:package-lock.json`);
  const known = text === "" ? new Map() : releasesOf((JSON.parse(text) as { packages: LockPackages }).packages);
  return [...releasesOf(packages)].filter(([name]) => !known.has(name)).map(([, release]) => release);
}

function readJson(path: string): Record<string, string> {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Record<string, string>;
  } catch {
    return {};
  }
}
