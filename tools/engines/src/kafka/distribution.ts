import { existsSync, globSync } from "node:fs";
import { cp, mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cacheFolder } from "../cache-folder.ts";
import { jvmArguments, runTool } from "./java.ts";
import { clusterId, type Listeners, writeProperties } from "./properties.ts";

const version = "4.4.0";

/**
 * The files that every broker of this machine starts from: made once (about half a minute, 45 MB),
 * then kept.
 */
export interface Distribution {
  readonly classPath: string;
  /** A formatted, empty log folder, without ids. */
  readonly formatted: string;
  /** The JVM's class-data archive, which halves the time of a start. The first broker writes it. */
  readonly archive: string;
}

let preparing: Promise<Distribution> | undefined;

/** Downloads the broker's jars with Maven and formats a log folder, unless an earlier run did. */
export function distribution(): Promise<Distribution> {
  preparing ??= prepare();
  return preparing;
}

async function prepare(): Promise<Distribution> {
  const folder = join(cacheFolder(), `kafka-${version}`);
  await mkdir(folder, { recursive: true });
  const libs = join(folder, "libs");
  // Each part is made under another name and renamed: a concurrent process may make the same, and
  // either result is good.
  await once(libs, async (aside) => {
    const pom = join(import.meta.dirname, "pom.xml");
    await runTool("mvn", ["-q", "-B", "-ntp", "-f", pom, "dependency:copy-dependencies", `-DoutputDirectory=${aside}`]);
  });
  // Sorted, because the class-data archive is valid for one order only.
  const classPath = globSync("*.jar", { cwd: libs })
    .toSorted()
    .map((jar) => join(libs, jar))
    .join(":");
  const formatted = join(folder, "formatted");
  await once(formatted, async (aside) => await format(aside, classPath));
  return { classPath, formatted, archive: join(folder, "classes.jsa") };
}

async function once(target: string, make: (aside: string) => Promise<void>): Promise<void> {
  if (existsSync(target)) return;
  const aside = await mkdtemp(`${target}-`);
  try {
    await make(aside);
    await rename(aside, target).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    });
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

async function format(aside: string, classPath: string): Promise<void> {
  const work = await mkdtemp(`${aside}-work-`);
  try {
    const listeners: Listeners = { port: 1, controllerPort: 2 };
    const properties = await writeProperties(work, listeners, {});
    await runTool("java", [
      ...jvmArguments(classPath),
      "kafka.tools.StorageTool",
      "format",
      "-t",
      clusterId(),
      "-c",
      properties,
    ]);
    await cp(join(work, "data"), aside, { recursive: true });
    await rm(join(aside, "meta.properties"));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Makes `dataDir` the log folder of a new cluster: a copy of the formatted folder with new ids. */
export async function newCluster(from: Distribution, dataDir: string): Promise<void> {
  const data = join(dataDir, "data");
  await cp(from.formatted, data, { recursive: true });
  await writeFile(
    join(data, "meta.properties"),
    `version=1\nnode.id=1\ncluster.id=${clusterId()}\ndirectory.id=${clusterId()}\n`,
  );
}
