import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { checkLayers, type Project } from "./layers.ts";
import { checkFile } from "./service.ts";

interface Manifest {
  readonly name: string;
  readonly nx?: { readonly tags?: readonly string[] };
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

/**
 * Returns a sentence for every import of the workspace in the wrong direction. Nx draws its graph
 * from the same manifests.
 */
export function checkWorkspace(root: string): string[] {
  const projects = globSync("{apps,deploy,libs,tests,tools}/*/package.json", { cwd: root }).map((file) =>
    readProject(join(root, file)),
  );
  const problems = checkLayers(projects);
  for (const service of globSync("apps/*/src", { cwd: root })) {
    if (globSync(join(root, service, "use-cases")).length === 0) continue; // Too small for rooms.
    for (const file of globSync("**/*.ts", {
      cwd: join(root, service),
      exclude: (name) => name.endsWith(".test.ts"),
    })) {
      const text = readFileSync(join(root, service, file), "utf8");
      const app = relative(root, dirname(join(root, service)));
      problems.push(...checkFile(file.split(sep).join("/"), text).map((problem) => `${app}: ${problem}`));
    }
  }
  return problems;
}

function readProject(file: string): Project {
  const manifest = JSON.parse(readFileSync(file, "utf8")) as Manifest;
  return {
    name: manifest.name,
    tags: manifest.nx?.tags ?? [],
    dependencies: Object.keys(manifest.dependencies ?? {}),
    devDependencies: Object.keys(manifest.devDependencies ?? {}),
  };
}
