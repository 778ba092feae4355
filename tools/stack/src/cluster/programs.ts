/** Programs that a checkout does not bring: helm, kubectl, kubeconform. */
import { existsSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";

/** A folder in which programs are looked for beside those of PATH. A CI job may fill it. */
export const toolFolder = resolve(import.meta.dirname, "../../../../node_modules/.cache/tools");

/** Returns the path of a program on PATH or in node_modules/.cache/tools. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), toolFolder].filter((folder) => folder !== "");
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}
