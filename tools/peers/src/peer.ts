import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const root = resolve(import.meta.dirname, "../../..");

/** Other people's programs that ours are tested against, by the Go package that `go.mod` pins. */
const packages = {
  h2spec: "github.com/summerwind/h2spec/cmd/h2spec",
  "interop-client": "google.golang.org/grpc/interop/client",
  "interop-server": "google.golang.org/grpc/interop/server",
} as const;

export type Peer = keyof typeof packages;

/**
 * The path of a peer, built by Go in a few seconds (the first time a minute, with its downloads). Rejects with an error that
 * says what is missing where there is no Go, or its modules cannot be fetched.
 */
export function peer(name: Peer): Promise<string> {
  return (builds[name] ??= build(name));
}

const builds: Partial<Record<Peer, Promise<string>>> = {};

async function build(name: Peer): Promise<string> {
  const folder = join(root, "node_modules/.cache/peers");
  await mkdir(folder, { recursive: true });
  const path = join(folder, name);
  try {
    await run("go", ["build", "-buildvcs=false", "-mod=readonly", "-o", path, packages[name]], {
      cwd: resolve(import.meta.dirname, ".."),
      timeout: 300_000,
    });
  } catch (cause) {
    const isMissing = cause instanceof Error && "code" in cause && cause.code === "ENOENT";
    const why = isMissing ? "Go is not installed (1.26 or later)" : lastLine(cause);
    throw new Error(`${name} cannot be built: ${why}`, { cause });
  }
  return path;
}

function lastLine(error: unknown): string {
  const text = error instanceof Error && "stderr" in error && error.stderr ? String(error.stderr) : String(error);
  return text.trim().split("\n").at(-1) ?? text;
}
