import type { JsonValue } from "@bufbuild/protobuf";
import { ServiceError } from "@plumbline/errors";
import { exactInteger } from "./exact-integer.ts";
import { parseFast } from "./parse-fast.ts";
import { readJson } from "./scan.ts";

/**
 * Parses a JSON body. Throws ServiceError invalid_argument: MALFORMED_JSON with line and column if
 * it is not JSON, or INVALID_REQUEST with the field if a key appears twice in an object.
 */
export function parseJson(bytes: Uint8Array): JsonValue {
  const text = decode(bytes);
  const fast = parseFast(text);
  if (fast !== undefined) return fast;
  const read = readJson(text);
  if ("value" in read) return read.value;
  const { problem } = read;
  if (problem.duplicate !== undefined) {
    throw new ServiceError("invalid_argument", `The body has the key ${problem.duplicate} twice.`, {
      reason: "INVALID_REQUEST",
      violations: [{ field: problem.duplicate, description: problem.description }],
    });
  }
  const before = text.slice(0, problem.offset).split("\n");
  const column = (before.at(-1) ?? "").length + 1;
  throw new ServiceError(
    "invalid_argument",
    `The body is not valid JSON: line ${before.length}, column ${column}: ${problem.description}.`,
    {
      reason: "MALFORMED_JSON",
    },
  );
}

/**
 * Returns the paths of the numbers in a valid JSON text that no double holds exactly, such as
 * 9007199254740993. `path` is that of the whole value.
 */
export function roundedNumbers(bytes: Uint8Array, path: string): ReadonlySet<string> {
  const found = new Set<string>();
  const onNumber = (at: string, text: string): void => {
    const value = Number(text);
    if (!Number.isSafeInteger(value) && (!Number.isInteger(value) || exactInteger(text) !== BigInt(value)))
      found.add(at);
  };
  readJson(decode(bytes), { path, onNumber });
  return found;
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function decode(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw new ServiceError("invalid_argument", "The body is not valid UTF-8.", { reason: "MALFORMED_JSON", cause });
  }
}
