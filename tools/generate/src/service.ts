/** The generator `@plumbline/tools-generate:service`. */
import { spawnSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { whyNotName } from "./check-name.ts";
import { addToStack, nextPorts } from "./edits.ts";
import { pluralOf, rename } from "./names.ts";
import { type Part, partsOf } from "./parts.ts";
import type { Tree } from "./tree.ts";

export interface ServiceOptions {
  readonly name: string;
  /** Names of parts, separated by commas. */
  readonly with?: string;
}

/** Files of the service without data that the others replace. */
const onlyPlain = ["describe-spare-part.ts", "describe-spare-part.test.ts", "spare-part-service.ts"];

const templates = join(import.meta.dirname, "../template");

/**
 * Adds a service to the workspace. Checks everything first and writes to `tree` last, so that a
 * refused name leaves no file behind. Returns the work that follows once the files are written:
 * derived files, formatting, and what to do next.
 */
export default function service(tree: Tree, options: ServiceOptions): () => void {
  const { name } = options;
  const why = whyNotName(name, tree);
  if (why !== undefined) throw new Error(`the service cannot be named "${name}": ${why}`);
  const chosen = partsOf(options.with ?? "");

  const ports = nextPorts(tree);
  const text = (template: string): string =>
    rename(template, name).replaceAll("__PORT__", grouped(ports.port)).replaceAll("__OPS_PORT__", `${ports.opsPort}`);

  const layers = ["plain", ...chosen];
  const files = new Map<string, string>();
  for (const layer of layers) {
    const folder = join(templates, layer);
    for (const file of globSync("**/*", { cwd: folder, withFileTypes: true })) {
      if (!file.isFile()) continue;
      const path = join(file.parentPath, file.name);
      files.set(rename(path.slice(folder.length + 1), name), text(readFileSync(path, "utf8")));
    }
    for (const gone of layer === "plain" ? [] : onlyPlain) files.delete(rename(`apps/spare-part/src/${gone}`, name));
  }
  for (const [path, content] of files) tree.write(path, content);
  addToStack(tree, { name, parts: chosen }, ports);

  return () => finish(tree.root, { name, parts: chosen, port: ports.port, written: [...files.keys()] });
}

/** Writes a number as source code: 50_054. */
function grouped(value: number): string {
  return `${value}`.replace(/\B(?=(\d{3})+$)/g, "_");
}

interface Finished {
  readonly name: string;
  readonly parts: readonly Part[];
  readonly port: number;
  readonly written: readonly string[];
}

function finish(root: string, { name, parts: chosen, port, written }: Finished): void {
  const npm = (...args: string[]): void => {
    const { status, stdout, stderr } = spawnSync("npm", args, { cwd: root, encoding: "utf8" });
    if (status !== 0) throw new Error(`npm ${args.join(" ")} failed:\n${stdout}${stderr}`);
  };
  const edited = [
    "libs/contracts/src/index.ts",
    "libs/contracts/src/events.ts",
    "tools/stack/src/services.ts",
    "apps/issuer/src/clients.ts",
  ];
  const code = written.filter((file) => /\.(ts|json)$/.test(file));
  npm("exec", "--", "biome", "check", "--write", ...edited, ...code);
  if (chosen.includes("events")) npm("run", "fixtures");
  npm("run", "access");
  npm("run", "services");
  npm("run", "settings");
  npm("run", "chart");
  const route = `/v1/${pluralOf(name)}/1`;
  console.log(
    [
      "",
      `The service ${name} is there${chosen.length > 0 ? `, with ${chosen.join(" and ")}` : ""}. Next:`,
      "",
      "  npm install                     links it into the workspace",
      `  npx nx test @plumbline/${name}`.padEnd(34) + "runs its tests",
      "  npm start".padEnd(34) +
        `starts it with the others; then curl -H @.plumbline/ada http://localhost:8080${route}`,
      "  npm run check".padEnd(34) + "lint, types, builds, boundaries, settings, compose, chart",
      "",
      `Its contract is protos/${name.replaceAll("-", "_")}/v1, its code apps/${name}, its port ${port}.`,
      "docs/add-a-service.md walks through each file.",
    ].join("\n"),
  );
}
