import type { Problem } from "../config-error.ts";
import { readBounded } from "./read-bounded.ts";

/** The most bytes of a file. */
export const maxFileBytes = 1024 * 1024;

type Unreadable = Pick<Problem, "expected"> & { readonly missing: boolean };

/** Returns the text of a file, or why it cannot be read. Rejects only when aborted. */
export async function textOf(path: string, signal: AbortSignal | undefined): Promise<string | Unreadable> {
  try {
    const content = await readBounded(path, maxFileBytes, { signal });
    if (content === undefined) return { missing: false, expected: `a file of at most ${maxFileBytes} bytes` };
    return utf8(content) ?? { missing: false, expected: "a file in UTF-8" };
  } catch (error) {
    signal?.throwIfAborted();
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    return { missing: code === "ENOENT", expected: `a file that can be read (${code})` };
  }
}

/** Returns the text, or undefined if the bytes are no UTF-8. */
export function utf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
