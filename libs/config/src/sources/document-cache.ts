import { mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";

/** A document and the time when it was read. */
export interface Cached {
  readonly bytes: Uint8Array;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** The last good document on disk. Its methods never reject. */
export interface DocumentCache {
  /** Returns undefined if there is none, or if it cannot be used. */
  read(): Promise<Cached | undefined>;
  /** Writes the document, unless it is the one that was written last. */
  write(document: Cached): Promise<void>;
}

// The first line holds the time, since a copy or a restored volume may change that of the file.
const heading = /^plumbline-document (\d{1,16})\n/;
const mostHeadingBytes = 64;
const mostBytes = 512 * 1024 + mostHeadingBytes;

/** Returns the cache in this file, which is made with its folder by the first write. */
export function cacheOf(path: string, onFailure: (error: unknown) => void): DocumentCache {
  let written: Uint8Array | undefined;
  return {
    async read() {
      try {
        const { size } = await stat(path);
        if (size > mostBytes) throw new Error(`it has more than ${mostBytes} bytes`);
        return parse(await readFile(path));
      } catch (error) {
        if (!isMissing(error)) onFailure(failure("read", path, error));
        return undefined;
      }
    },
    async write({ bytes, at }) {
      if (written !== undefined && Buffer.compare(written, bytes) === 0) return;
      const next = `${path}.${process.pid}.new`;
      try {
        await mkdir(dirname(path), { recursive: true, mode: 0o700 });
        await writeThrough(next, Buffer.concat([Buffer.from(`plumbline-document ${at}\n`), bytes]));
        await rename(next, path);
        written = bytes;
      } catch (error) {
        await rm(next, { force: true }).catch(() => {});
        onFailure(failure("write", path, error));
      }
    },
  };
}

function parse(content: Buffer): Cached {
  const [line, at] = heading.exec(content.subarray(0, mostHeadingBytes).toString("latin1")) ?? [];
  if (line === undefined) throw new Error("it has no heading of a cached document");
  return { bytes: content.subarray(line.length), at: Number(at) };
}

/** Writes to the disk itself, so that a crash of the machine leaves the old file or the new one. */
async function writeThrough(path: string, content: Buffer): Promise<void> {
  await using file = await open(path, "w", 0o600);
  await file.writeFile(content);
  await file.sync();
}

function failure(verb: string, path: string, error: unknown): Error {
  const reason = error instanceof Error ? error.message : String(error);
  return new Error(`cannot ${verb} the cached configuration ${path}: ${reason}`, { cause: error });
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
