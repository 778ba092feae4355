import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { goBuild, whyNoGo } from "@plumbline/go";

const root = resolve(import.meta.dirname, "../../..");
const folder = resolve(import.meta.dirname, "..");

/** Other people's programs that ours are tested against, by the Go package that `go.mod` pins. */
const packages = {
  h2spec: "github.com/summerwind/h2spec/cmd/h2spec",
  "interop-client": "google.golang.org/grpc/interop/client",
  "interop-server": "google.golang.org/grpc/interop/server",
} as const;

export type Peer = keyof typeof packages;

const built = new Map<Peer, string>();

/** Why there are no peers here: Go is missing or too old, or its modules cannot be fetched. Undefined when there are. */
export function whyNoPeers(): string | undefined {
  return whyNoGo(folder);
}

/** The path of a peer, built in seconds (the first time a minute). Throws where `whyNoPeers` says why, or with Go's words. */
export function peer(name: Peer): string {
  const known = built.get(name);
  if (known !== undefined) return known;
  const cache = join(root, "node_modules/.cache/peers");
  mkdirSync(cache, { recursive: true });
  const path = goBuild(folder, packages[name], join(cache, name));
  built.set(name, path);
  return path;
}
