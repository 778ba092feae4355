/** A release before this one: the chart and the images of an earlier commit. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { docker } from "../compose/docker.ts";
import { databaseOwners, rows } from "../services.ts";
import { type Reach, shown, type TestCluster } from "./reach.ts";

const root = resolve(import.meta.dirname, "../../../..");

/** The names of what an upgrade leads from and to. */
export interface Versions {
  /** The tag of the images of the earlier commit, and the folder of its files. */
  readonly before: string;
  readonly folder: string;
  /** The tag of orders and worker of this commit, with one migration more. */
  readonly migrated: string;
}

/** Returns the versions for an earlier commit. */
export function versionsOf(revision: string, tag: string): Versions {
  const commit = execFileSync("git", ["rev-parse", "--short=12", `${revision}^{commit}`], { cwd: root })
    .toString()
    .trim();
  return {
    before: `at-${commit}`,
    folder: join(root, "node_modules/.cache/upgrade", commit),
    migrated: `${tag}-migrated`,
  };
}

/**
 * Builds the images of the earlier commit, and images of this one with a migration more, and loads
 * all into the test cluster.
 */
export async function prepareVersions(cluster: TestCluster, versions: Versions, tag: string): Promise<void> {
  const { before, folder, migrated } = versions;
  if (!existsSync(folder)) {
    mkdirSync(folder, { recursive: true });
    const commit = before.replace("at-", "");
    execFileSync("sh", ["-c", `git archive ${commit} | tar -x -C "$0"`, folder], { cwd: root });
  }
  const names = rows.filter(({ standIn }) => standIn !== true).map(({ name }) => name);
  const built = await Promise.all(names.map((name) => docker(["images", "--quiet", `plumbline/${name}:${before}`])));
  if (built.some((id) => id.trim() === "")) {
    const build = ["docker", "compose", "--project-directory", folder, "--file", join(folder, "docker-compose.yml")];
    const code = await shown([...build, "build"], { PLUMBLINE_TAG: before });
    if (code !== 0) throw new Error(`the images of ${before} could not be built`);
  }
  for (const owner of databaseOwners) await addMigration(owner, tag, migrated);
  await cluster.run(
    "load-image",
    ...names.map((name) => `plumbline/${name}:${before}`),
    ...databaseOwners.map((name) => `plumbline/${name}:${migrated}`),
  );
}

/** Makes an image of a service that has one migration more: it adds a table and an index. */
async function addMigration(name: string, tag: string, migrated: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "plumbline-migration-"));
  try {
    const existing = readdirSync(join(root, `apps/${name}/src/postgres/migrations`)).filter((file) =>
      file.endsWith(".sql"),
    );
    const file = `${String(existing.length + 1).padStart(3, "0")}-upgrade-test.sql`;
    writeFileSync(
      join(folder, file),
      "CREATE TABLE upgrade_test (id bigint PRIMARY KEY, note text);\nCREATE INDEX ON upgrade_test (note);\n",
    );
    writeFileSync(join(folder, "Dockerfile"), `FROM plumbline/${name}:${tag}\nCOPY ${file} /app/migrations/\n`);
    await docker(["build", "--quiet", "--tag", `plumbline/${name}:${migrated}`, folder]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Returns the schema of the values of the earlier commit's chart. */
export function schemaBefore({ folder }: Versions): string {
  return readFileSync(join(folder, "deploy/helm/plumbline/values.schema.json"), "utf8");
}

/** Packages the chart of the earlier commit, and returns the path of the package. */
export async function packageChart(reach: Reach, { folder }: Versions): Promise<string> {
  const target = join(folder, "packages");
  await reach.helm(["package", join(folder, "deploy/helm/plumbline"), "--destination", target]);
  const [file] = readdirSync(target).filter((name) => name.startsWith("plumbline-") && name.endsWith(".tgz"));
  if (file === undefined) throw new Error(`helm made no package in ${target}`);
  return join(target, file);
}
