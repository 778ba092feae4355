import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { generate, goBuild } from "@plumbline/tools-go";

/** Our services, as images run them. */
export function buildOurs(root: string, services: readonly string[]): void {
  const projects = services.map((name) => `@plumbline/${name}`).join(",");
  const { status } = spawnSync(join(root, "node_modules/.bin/nx"), ["run-many", "-t", "build", "-p", projects], {
    cwd: root,
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (status !== 0) throw new Error(`the services could not be built: npx nx run-many -t build -p ${projects}`);
}

/** The Go commands of this bench, and greeter-go, into `folder`. */
export function buildGo(root: string, folder: string): string {
  const module = join(root, "tests/bench/go");
  if (!existsSync(join(module, "gen"))) generate(root, module);
  for (const name of ["load", "watch", "bare", "gateway"]) goBuild(module, `./${name}`, join(folder, name));
  goBuild(join(root, "apps/greeter-go"), ".", join(folder, "greeter-go"));
  return folder;
}
