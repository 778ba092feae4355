import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { goBuild, whyNoGo } from "./go.ts";

const root = resolve(import.meta.dirname, "../../..");
const folder = resolve(import.meta.dirname, "../interop-programs");

/**
 * The Go packages of other projects' programs for interop tests, at the versions that go.mod pins.
 */
const packages = {
  h2spec: "github.com/summerwind/h2spec/cmd/h2spec",
  "interop-client": "google.golang.org/grpc/interop/client",
  "interop-server": "google.golang.org/grpc/interop/server",
} as const;

export type InteropProgram = keyof typeof packages;

const built = new Map<InteropProgram, string>();

/**
 * Returns the reason why the programs cannot be built here: Go is missing or too old, or its
 * modules cannot be downloaded.
 */
export function whyNoInteropPrograms(): string | undefined {
  return whyNoGo(folder);
}

/**
 * Builds a program and returns its path. The first build takes a minute, later ones seconds. Throws
 * with the compiler's output if the build fails.
 */
export function interopProgram(name: InteropProgram): string {
  const known = built.get(name);
  if (known !== undefined) return known;
  const cache = join(root, "node_modules/.cache/interop-programs");
  mkdirSync(cache, { recursive: true });
  const path = goBuild(folder, packages[name], join(cache, name));
  built.set(name, path);
  return path;
}
