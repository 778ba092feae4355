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

// Its types list the built-in ids; a database has more.
const parserOf = types.getTypeParser as (id: number, format?: string) => (text: string) => unknown;
const parseInt8Array = parserOf(oid.int8Array) as (text: string) => Nested<string>;
const parseTextArray = parserOf(oid.textArray);

const parsers = new Map<number, (text: string) => unknown>([
  [oid.int8, BigInt],
  [oid.int8Array, (text) => toBigInts(parseInt8Array(text))],
  // Without a time zone they are no moment: pg would take them for one in this process's zone.
  [oid.date, (text) => text],
  [oid.timestamp, (text) => text],
  [oid.dateArray, parseTextArray],
  [oid.timestampArray, parseTextArray],
]);

/**
 * How columns arrive: bigint as bigint (also of `count(*)`), numeric as a string, timestamptz as Date, json parsed, bytea
 * as Buffer; date and timestamp as the server writes them.
 */
export const valueTypes = {
  getTypeParser: (id: number, format?: string) =>
    (format === "binary" ? undefined : parsers.get(id)) ?? parserOf(id, format),
} as CustomTypesConfig;
