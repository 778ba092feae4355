import { ScalarType } from "@bufbuild/protobuf";

const integers: Partial<Record<ScalarType, readonly [min: bigint, max: bigint]>> = {
  [ScalarType.INT32]: [-(2n ** 31n), 2n ** 31n - 1n],
  [ScalarType.SINT32]: [-(2n ** 31n), 2n ** 31n - 1n],
  [ScalarType.SFIXED32]: [-(2n ** 31n), 2n ** 31n - 1n],
  [ScalarType.UINT32]: [0n, 2n ** 32n - 1n],
  [ScalarType.FIXED32]: [0n, 2n ** 32n - 1n],
  [ScalarType.INT64]: [-(2n ** 63n), 2n ** 63n - 1n],
  [ScalarType.SINT64]: [-(2n ** 63n), 2n ** 63n - 1n],
  [ScalarType.SFIXED64]: [-(2n ** 63n), 2n ** 63n - 1n],
  [ScalarType.UINT64]: [0n, 2n ** 64n - 1n],
  [ScalarType.FIXED64]: [0n, 2n ** 64n - 1n],
};

/**
 * Checks the JSON of a scalar. Returns the expectation that it misses, or undefined if it is valid.
 */
export function checkScalar(type: ScalarType, value: unknown): string | undefined {
  const range = integers[type];
  if (range !== undefined)
    return isInteger(value, range) ? undefined : `an integer from ${range[0]} to ${range[1]}${hint(value, range)}`;
  return others[type]?.(value);
}

const others: Partial<Record<ScalarType, (value: unknown) => string | undefined>> = {
  [ScalarType.STRING]: (value) => {
    if (typeof value !== "string") return "a string";
    // A lone surrogate has no UTF-8 form: it would silently become U+FFFD.
    return value.isWellFormed() ? undefined : "a string without lone surrogates";
  },
  [ScalarType.BOOL]: (value) => (typeof value === "boolean" ? undefined : "true or false"),
  [ScalarType.BYTES]: (value) => (typeof value === "string" && isBase64(value) ? undefined : "a string in base64"),
  [ScalarType.FLOAT]: (value) => (isFloat(value) && fitsFloat(Number(value)) ? undefined : "a number of 32 bits"),
  [ScalarType.DOUBLE]: (value) => (isFloat(value) ? undefined : "a number"),
};

/**
 * Returns true for an integer in range. 64-bit integers are strings in proto3 JSON; exact numbers
 * are accepted.
 */
function isInteger(value: unknown, [min, max]: readonly [bigint, bigint]): boolean {
  if (typeof value === "number" && !Number.isSafeInteger(value)) return false;
  if (typeof value === "string" && !/^-?(?:0|[1-9]\d{0,19})$/.test(value)) return false;
  if (typeof value !== "number" && typeof value !== "string") return false;
  const integer = BigInt(value);
  return min <= integer && integer <= max;
}

function hint(value: unknown, [, max]: readonly [bigint, bigint]): string {
  const unsafe = typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value);
  return unsafe && max > 2n ** 53n ? ", as a string, since a JSON number of this size is not exact" : "";
}

function fitsFloat(value: number): boolean {
  return !Number.isFinite(value) || Math.abs(value) <= 3.4028234663852886e38;
}

function isFloat(value: unknown): boolean {
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value !== "string") return false;
  if (value === "NaN" || value === "Infinity" || value === "-Infinity") return true;
  return /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(value) && Number.isFinite(Number(value));
}

/** Returns true for base64: standard or URL-safe, with or without padding, as in proto3 JSON. */
function isBase64(text: string): boolean {
  if (!/^(?:[A-Za-z0-9+/]*|[A-Za-z0-9_-]*)={0,2}$/.test(text)) return false;
  const length = text.replace(/=+$/, "").length;
  return length % 4 !== 1 && (text.length === length || text.length % 4 === 0);
}
