/**
 * `node ../../tools/go/src/main.ts generate|build|lint|serve`, in the folder of a project with a Go
 * module.
 */
import { relative, resolve } from "node:path";
import { generate, go, goBuild, unformatted, whyNoGo } from "./go.ts";

const root = resolve(import.meta.dirname, "../../..");
const folder = process.cwd();
const name = relative(root, folder);

const targets: Readonly<Record<string, () => void>> = {
  generate: () => generate(root, folder),
  build: () => goBuild(folder, ".", `dist/${name.split("/").at(-1)}`),
  lint: () => {
    const files = unformatted(folder);
    if (files.length > 0) throw new Error(`gofmt would change ${files.join(", ")}: gofmt -w ${files.join(" ")}`);
    go(folder, ["vet", "./..."]);
  },
  serve: () => go(folder, ["run", "."]),
};

const target = process.argv[2] ?? "";
const run = targets[target];
const why = whyNoGo(folder);
if (run === undefined) {
  console.error(`there is no target "${target}": expected one of ${Object.keys(targets).join(", ")}`);
  process.exitCode = 1;
} else if (why !== undefined) {
  console.log(`SKIPPED  ${name} ${target}: ${why}`);
  if (target === "serve") process.exitCode = 1;
} else {
  try {
    run();
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 1;
  }
}
