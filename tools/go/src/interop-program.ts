import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { goBuild, whyNoGo } from "./go.ts";

const root = resolve(import.meta.dirname, "../../..");

/**
 * The Go packages of programs for interop tests, each in the module whose go.mod pins its version.
 * All are other projects' but the one with a dot, which is a few lines around another's library.
 */
const packages = {
  connectconformance: ["connect-conformance", "connectrpc.com/conformance/cmd/connectconformance"],
  grpcurl: ["interop-programs", "github.com/fullstorydev/grpcurl/cmd/grpcurl"],
  h2spec: ["interop-programs", "github.com/summerwind/h2spec/cmd/h2spec"],
  "interop-client": ["interop-programs", "google.golang.org/grpc/interop/client"],
  "interop-server": ["interop-programs", "google.golang.org/grpc/interop/server"],
  "spiffe-peer": ["spiffe-peer", "."],
} as const;

export type InteropProgram = keyof typeof packages;

const built = new Map<InteropProgram, string>();

/**
 * Returns the reason why a program cannot be built here: Go is missing or too old, or its modules
 * cannot be downloaded.
 */
export function whyNoInteropProgram(name: InteropProgram): string | undefined {
  return whyNoGo(folderOf(name));
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
  const path = goBuild(folderOf(name), packages[name][1], join(cache, name));
  built.set(name, path);
  return path;
}

function folderOf(name: InteropProgram): string {
  return resolve(import.meta.dirname, "..", packages[name][0]);
}
