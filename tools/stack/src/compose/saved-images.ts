import { execFile } from "node:child_process";
import { createReadStream } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { createGzip } from "node:zlib";
import { docker } from "./docker.ts";

const run = promisify(execFile);

export interface SavedImage {
  readonly name: string;
  readonly layers: readonly Layer[];
}

export interface Layer {
  readonly id: string;
  /** Bytes as a registry holds it: gzip, at the level `docker push` takes. */
  readonly compressed: number;
}

interface ManifestEntry {
  readonly RepoTags: readonly string[];
  readonly Layers: readonly string[];
}

/**
 * Returns the layers of images in this machine's engine. Needs room for them twice, packed and
 * unpacked, in the folder for temporary files. Rejects when an image is not there.
 */
export async function savedImages(names: readonly string[]): Promise<SavedImage[]> {
  const folder = await mkdtemp(join(tmpdir(), "plumbline-images-"));
  try {
    // A file, not a pipe: tar may close a pipe before its last byte is through.
    const archive = join(folder, "images.tar");
    await docker(["save", "--output", archive, ...names]);
    await run("tar", ["-x", "-f", archive, "-C", folder]);
    const manifest = JSON.parse(await readFile(join(folder, "manifest.json"), "utf8")) as ManifestEntry[];
    const sizes = new Map<string, number>();
    for (const id of new Set(manifest.flatMap((entry) => entry.Layers)))
      sizes.set(id, await compressed(join(folder, id)));
    return names.map((name) => {
      const layers = manifest.find(({ RepoTags }) => RepoTags.includes(name))?.Layers;
      if (layers === undefined) throw new Error(`docker save did not save ${name}`);
      return { name, layers: layers.map((id) => ({ id, compressed: sizes.get(id) ?? 0 })) };
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * An engine that keeps images as containerd does saves layers compressed; another saves plain
 * archives.
 */
async function compressed(file: string): Promise<number> {
  const gzip = createGzip();
  let out = 0;
  let whole = 0;
  let head: Buffer | undefined;
  gzip.on("data", (chunk: Buffer) => (out += chunk.length));
  const source = createReadStream(file);
  source.on("data", (chunk) => {
    head ??= chunk as Buffer;
    whole += chunk.length;
  });
  await pipeline(source, gzip);
  return head !== undefined && isCompressed(head) ? whole : out;
}

function isCompressed(head: Buffer): boolean {
  const magic = head.subarray(0, 4).toString("hex");
  return magic.startsWith("1f8b") || magic === "28b52ffd"; // gzip, zstd
}
