/** The programs that check a chart. They are found and not installed. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { findProgram, toolFolder } from "@plumbline/tools-stack";

const root = resolve(import.meta.dirname, "../../../..");
export interface Ran {
  readonly ok: boolean;
  readonly out: string;
  readonly complaint: string;
}

/** Returns why a chart cannot be rendered here; false when it can. */
export function whyNoHelm(): string | false {
  return findProgram("helm") === undefined && `helm is neither on PATH nor in ${toolFolder}`;
}

/** Runs helm. Throws where there is none. */
export function helm(...args: readonly string[]): Ran {
  return run("helm", args);
}

/** Runs a program to its end, with `input`. Throws where there is none. */
export function run(name: string, args: readonly string[], input = ""): Ran {
  const path = findProgram(name);
  if (path === undefined) throw new Error(`${name} is neither on PATH nor in ${toolFolder}`);
  const { status, stdout, stderr, error } = spawnSync(path, args, {
    cwd: root,
    input,
    encoding: "utf8",
    timeout: 60_000,
    maxBuffer: 64 * 1_024 * 1_024,
  });
  if (error !== undefined) throw new Error(`${path} does not run: ${error.message}`, { cause: error });
  return { ok: status === 0, out: stdout, complaint: stderr.trim() };
}

/**
 * Returns the folder of Kubernetes's JSON schemas: KUBERNETES_SCHEMAS, or `kubernetes-schemas` in a
 * `share` folder beside kubeconform's. Undefined means that there is none.
 */
export function schemaFolder(): string | undefined {
  const program = findProgram("kubeconform");
  const besides = program === undefined ? [] : [dirname(program), join(dirname(program), "../share")];
  return [
    ...[process.env["KUBERNETES_SCHEMAS"] ?? []].flat(),
    ...[toolFolder, ...besides].map((folder) => join(folder, "kubernetes-schemas")),
  ].find((folder) => existsSync(folder));
}
