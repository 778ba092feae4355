import type { Problem } from "../config-error.ts";
import { readBounded } from "./read-bounded.ts";

const maxBytes = 1024 * 1024;

type Unreadable = Pick<Problem, "expected"> & { readonly missing: boolean };

/** Returns the text of a file, or why it cannot be read. Rejects only when aborted. */
export async function textOf(path: string, signal: AbortSignal | undefined): Promise<string | Unreadable> {
  try {
    const content = await readBounded(path, maxBytes, { signal });
    if (content === undefined) return { missing: false, expected: `a file of at most ${maxBytes} bytes` };
    return content.toString();
  } catch (error) {
    signal?.throwIfAborted();
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    return { missing: code === "ENOENT", expected: `a file that can be read (${code})` };
  }
}
