import { open } from "node:fs/promises";
import type { Abortable } from "@plumbline/concurrency";

const chunkBytes = 64 * 1024;

/**
 * Returns the content of a file, or undefined if it has more than `maxBytes`. Reads no further than
 * that, since a device or a growing file has no end. Rejects as `open` and `read` do.
 */
export async function readBounded(
  path: string,
  maxBytes: number,
  { signal }: Abortable = {},
): Promise<Buffer | undefined> {
  await using handle = await open(path);
  const chunks: Buffer[] = [];
  let length = 0;
  for (;;) {
    signal?.throwIfAborted();
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(chunkBytes));
    if (bytesRead === 0) return Buffer.concat(chunks);
    length += bytesRead;
    if (length > maxBytes) return undefined;
    chunks.push(buffer.subarray(0, bytesRead));
  }
}
