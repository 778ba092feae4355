/** `npm run check`: everything but the tests. */
import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { paint, runCommand } from "@plumbline/tools-stack/command";

const root = resolve(import.meta.dirname, "../../..");
const here = "tools/check/src";

/** The steps in the order in which they run: the words of the help, and the command. */
const steps: Readonly<Record<string, { readonly about: string; readonly command: readonly string[] }>> = {
  code: {
    about: "lint, types, builds and contracts of every project, by Nx",
    command: ["nx", "run-many", "-t", "lint", "typecheck", "build", "breaking", "--outputStyle=static"],
  },
  boundaries: { about: "imports point from a layer to those below it", command: ours("boundaries") },
  services: { about: "what is made from the table of services is fresh", command: ours("services", "--check") },
  settings: {
    about: "docs/settings.md is fresh, and what starts a service fits it",
    command: ours("settings", "--check"),
  },
  chart: {
    about: "the Helm chart is fresh, and renders what Kubernetes and the services take",
    command: ours("chart", "check"),
  },
  crd: {
    about: "the definition of BackendService and its page are fresh",
    command: [process.execPath, "-C", "source", "apps/operator/src/resource/write-crd.ts", "--check"],
  },
  protos: { about: "protos of other projects have a licence, a source and a version", command: ours("protos") },
  access: { about: "every RPC has an access rule, and docs/access.md is fresh", command: ours("access", "--check") },
  prose: { about: "the language of comments, texts and documents", command: ours("prose") },
  packages: {
    about: "packages, actions and images of others: hashes, versions, licences, no scripts, a least age",
    command: ours("lockfile", "check"),
  },
  bundles: {
    about: "a bundle built in two folders has the same bytes, and its bill names what is in it",
    command: ours("bundles"),
  },
  allocations: {
    about: "greeter and gateway allocate for a call what the baseline says, or 5 % more",
    command: [process.execPath, "-C", "source", "tests/bench/src/main.ts", "allocations"],
  },
  unused: { about: "no unused file, export or dependency, by knip", command: ["knip", "--no-config-hints"] },
};

function ours(folder: string, ...args: readonly string[]): readonly string[] {
  return [process.execPath, "-C", "source", `${here}/${folder}/main.ts`, ...args];
}

await runCommand(
  {
    name: "npm run check",
    about: "Checks everything but the tests. Without a part it runs all of them, and stops at the first that fails.",
    words: Object.fromEntries(Object.entries(steps).map(([name, { about }]) => [name, about])),
    notes: ["Exit codes: 0 all is well, 1 something is wrong, 2 wrong command line."],
  },
  ({ words }) => {
    for (const [name, { command }] of Object.entries(steps)) {
      if (words.length > 0 && !words.includes(name)) continue;
      const began = performance.now();
      const [program = "", ...args] = command;
      const { status, error } = spawnSync(program, args, { cwd: root, stdio: "inherit" });
      if (error !== undefined) throw new Error(`${program} does not start (${error.message}): npm ci`);
      const took = `${((performance.now() - began) / 1_000).toFixed(1)} s`;
      if (status !== 0) {
        console.error(`${paint("red", "FAILED")}  ${name}: ${steps[name]?.about} (${took})`);
        return 1;
      }
      console.log(`${paint("green", "ok")}  ${name} (${took})`);
    }
    return 0;
  },
);
