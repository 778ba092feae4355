/**
 * `npm run check -- bundles`: builds each app here and in another folder, compares the bytes, and
 * compares the bill of materials with the packages that the source maps name.
 */
import { spawnSync } from "node:child_process";
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative, resolve } from "node:path";
import { type Bill, bundleOf } from "@plumbline/tools-build/bill";
import { packagesOf } from "@plumbline/tools-build/bundled-packages";
import { paint, runCommand } from "@plumbline/tools-stack/command";
import { copySources } from "./copy-sources.ts";
import { billFindings, differences, type Files } from "./findings.ts";

const root = resolve(import.meta.dirname, "../../../..");

await runCommand(
  {
    name: "npm run check -- bundles",
    about: "Builds each app here and in another folder: the bytes are equal, and the bill names what is in them.",
  },
  async () => {
    const place = mkdtempSync(join(tmpdir(), "plumbline-bundles-"));
    try {
      return await check(join(place, "another/folder with a space"));
    } finally {
      rmSync(place, { recursive: true, force: true });
    }
  },
);

async function check(copy: string): Promise<number> {
  const apps = globSync("apps/*/package.json", { cwd: root })
    .filter((path) => "sbom" in (JSON.parse(readFileSync(join(root, path), "utf8")) as { scripts: object }).scripts)
    .map((path) => basename(dirname(path)))
    .toSorted();
  const here = new Map<string, Files>();
  const sources = new Set<string>();
  for (const app of apps) {
    const folder = join(root, "apps", app);
    const { metafile, outputFiles } = await bundleOf(folder);
    const dist = join(folder, "dist");
    here.set(app, new Map(outputFiles.map(({ path, contents }) => [relative(dist, path), contents])));
    for (const path of Object.keys(metafile.inputs)) sources.add(resolve(folder, path));
  }

  mkdirSync(copy, { recursive: true });
  copySources(root, copy, sources);
  const findings = apps.flatMap((app) => {
    const folder = join(copy, "apps", app);
    for (const script of ["app.ts", "sbom.ts"]) runElsewhere(join(copy, "tools/build", script), folder);
    const { "sbom.cdx.json": written, ...files } = Object.fromEntries(
      globSync("*", { cwd: join(folder, "dist"), withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map(({ name }) => [name, readFileSync(join(folder, "dist", name))]),
    );
    const there = new Map(Object.entries(files));
    const bill = JSON.parse(written?.toString() ?? "{}") as Bill;
    const named = packagesOf(mapped(there), join(folder, "dist"));
    return [...differences(here.get(app) ?? new Map(), there), ...billFindings(bill, there, new Set(named.keys()))].map(
      (finding) => `${app}: ${finding}`,
    );
  });
  for (const finding of findings) console.error(`${paint("red", "refused")}  ${finding}`);
  console.log(`${apps.length} bundles, built twice: ${findings.length} findings`);
  return findings.length === 0 && apps.length > 0 ? 0 : 1;
}

/** Runs a script that builds with another time zone, language and home. */
function runElsewhere(script: string, folder: string): void {
  const { status, stderr } = spawnSync(process.execPath, [script], {
    cwd: folder,
    env: { TZ: "Pacific/Kiritimati", LANG: "tr_TR.UTF-8", HOME: folder },
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`${basename(script)} fails in a copy of the sources: ${stderr.slice(0, 2_000)}`);
}

/**
 * Returns the files that the source maps of a bundle name. For one of a package this is the
 * manifest of the package: it need not contain its source.
 */
function mapped(files: Files): string[] {
  return [...files]
    .filter(([name]) => name.endsWith(".map"))
    .flatMap(([, bytes]) => (JSON.parse(Buffer.from(bytes).toString()) as { sources: string[] }).sources)
    .map((path) => path.replace(/^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\/.*$/, "$1/package.json"));
}
