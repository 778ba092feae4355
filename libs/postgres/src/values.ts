import { type CustomTypesConfig, types } from "pg";

const oid = {
  int8: 20,
  int8Array: 1016,
  date: 1082,
  timestamp: 1114,
  dateArray: 1182,
  timestampArray: 1115,
  textArray: 1009,
};

type Nested<T> = readonly (T | null | Nested<T>)[];

function toBigInts(value: Nested<string>): Nested<bigint> {
  return value.map((item) => (item === null ? null : typeof item === "string" ? BigInt(item) : toBigInts(item)));
}

// The types of pg list the built-in ids only.
const parserOf = types.getTypeParser as (id: number, format?: string) => (text: string) => unknown;
const parseInt8Array = parserOf(oid.int8Array) as (text: string) => Nested<string>;
const parseTextArray = parserOf(oid.textArray);

const parsers = new Map<number, (text: string) => unknown>([
  [oid.int8, BigInt],
  [oid.int8Array, (text) => toBigInts(parseInt8Array(text))],
  // They have no time zone. pg would read them in the zone of this process.
  [oid.date, (text) => text],
  [oid.timestamp, (text) => text],
  [oid.dateArray, parseTextArray],
  [oid.timestampArray, parseTextArray],
]);

/**
 * The conversion of columns: bigint to bigint (also `count(*)`), numeric to a string, timestamptz
 * to Date, json parsed, bytea to Buffer. Values of date and timestamp stay as the server writes
 * them.
 */
export const valueTypes = {
  getTypeParser: (id: number, format?: string) =>
    (format === "binary" ? undefined : parsers.get(id)) ?? parserOf(id, format),
} as CustomTypesConfig;
