import type { CallWeights } from "../interceptors/weigh.ts";

const mebibyte = 1024 * 1024;

/** Returns the memory that this process may use, by its container; undefined without a limit. */
export function memoryLimit(): number | undefined {
  const limit = process.constrainedMemory();
  // Without a limit it is 0, or more than any machine has.
  return limit > 0 && limit < 2 ** 50 ? limit : undefined;
}

/**
 * Returns the octets that a server may hold for its callers. Throws a `RangeError` if they and
 * those of calls that run together are more than half of the memory that the process may use: the
 * rest is for the program itself, and a container that takes more is killed.
 */
export function memoryOf(
  options: { readonly maxHeldBytes?: number | undefined },
  weights: CallWeights | undefined,
  limit = memoryLimit(),
): { readonly maxHeldBytes: number } {
  const sixth = Math.min(Math.max((limit ?? Number.POSITIVE_INFINITY) / 6, 8 * mebibyte), 64 * mebibyte);
  const { maxHeldBytes = Math.floor(sixth) } = options;
  const ofCalls = weights?.maxBytes ?? 0;
  if (limit !== undefined && maxHeldBytes + ofCalls > limit / 2) {
    const sum = `${inMebibytes(maxHeldBytes)} for callers (maxHeldBytes) and ${inMebibytes(ofCalls)} for calls that run`;
    throw new RangeError(
      `${sum} are more than half of the ${inMebibytes(limit)} that this process may use: lower them, or raise the limit`,
    );
  }
  return { maxHeldBytes };
}

function inMebibytes(octets: number): string {
  return `${Math.round(octets / mebibyte)} MiB`;
}
