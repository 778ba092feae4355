import { type JsonValue, ScalarType } from "@bufbuild/protobuf";
import { exactInteger } from "./exact-integer.ts";

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
 * `isRounded` says if the JSON text of the number had another value than the number.
 */
export function checkScalar(type: ScalarType, value: unknown, isRounded = never): string | undefined {
  const range = integers[type];
  if (range === undefined) return others[type]?.(value);
  const integer = integerOf(value, isRounded);
  if (integer !== undefined && range[0] <= integer && integer <= range[1]) return undefined;
  return `an integer from ${range[0]} to ${range[1]}${hint(value, range, isRounded)}`;
}

const never = (): boolean => false;

/** Checks the key of a map, which is a string in JSON: "true" stands for true, "7" for 7. */
export function checkKey(type: ScalarType, key: string): string | undefined {
  if (type === ScalarType.BOOL) return key === "true" || key === "false" ? undefined : '"true" or "false"';
  const range = integers[type];
  if (range === undefined || /^-?(?:0|[1-9]\d*)$/.test(key)) return checkScalar(type, key);
  return `an integer from ${range[0]} to ${range[1]}`;
}

/**
 * Returns a valid scalar in the form that `fromJson` reads: integers that are large or in exponent
 * notation as digits, numbers of 32 bits rounded to those.
 */
export function plainScalar(type: ScalarType, value: JsonValue): JsonValue {
  if (type === ScalarType.FLOAT) return Number.isFinite(Number(value)) ? Math.fround(Number(value)) : value;
  if (integers[type] === undefined || Number.isSafeInteger(value)) return value;
  return String(integerOf(value, never) ?? value);
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
 * Returns an integer that is exact. 64-bit integers are strings in proto3 JSON; numbers are
 * accepted if they have the value of their text.
 */
function integerOf(value: unknown, isRounded: () => boolean): bigint | undefined {
  if (typeof value === "string") return exactInteger(value);
  if (typeof value !== "number" || !Number.isInteger(value)) return undefined;
  return Number.isSafeInteger(value) || !isRounded() ? BigInt(value) : undefined;
}

function hint(value: unknown, [, max]: readonly [bigint, bigint], isRounded: () => boolean): string {
  const inexact = typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value) && isRounded();
  return inexact && max > 2n ** 53n ? ", as a string, since a JSON number of this size is not exact" : "";
}

function fitsFloat(value: number): boolean {
  // A number a little above the largest float is rounded to it, as every parser of floats does.
  return !Number.isFinite(value) || Number.isFinite(Math.fround(value));
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
