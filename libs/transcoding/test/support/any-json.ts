import type { DescMessage, JsonObject, JsonValue, Registry } from "@bufbuild/protobuf";
import { fromBinary, toJson } from "@bufbuild/protobuf";
import * as fc from "fast-check";
import { AnyWire } from "./any-wire.ts";

const wire = new AnyWire();

/** Values that are valid for some field and invalid for most. */
const odd = fc.oneof(
  fc.constantFrom(0, -0, 1.5, -1, 7, 1e39, 2 ** 31, 2 ** 32, 2 ** 53, -(2 ** 53)),
  fc.constantFrom("0", "7", "-0", "-5", "007", "1.5", "4294967296", "9".repeat(18), "9".repeat(19), "9".repeat(20)),
  fc.constantFrom<JsonValue[]>("1e2", "7.0", 3.4028235e38, 2 ** 63, Infinity, [Infinity], { a: [Infinity, "\ud800"] }),
  fc.constantFrom("2026-01-31T24:00:00Z", "a..b", ",", "a b", "aB,c"),
  fc.constantFrom("", "\ud800", "🦊", "true", "NaN", "COLOR_RED", "COLOR_CRIMSON", "SIZE_SMALL", "1s", "YQ=="),
  fc.constantFrom<JsonValue[]>(null, true, [], {}, [[]], ["a"], [1, 2], [null], { name: "x" }, { nope: 1 }),
);

/**
 * Generates JSON of a message type, in JSON or proto names, sometimes with values or keys that do
 * not fit.
 */
export function anyJson(message: DescMessage, registry: Registry): fc.Arbitrary<JsonValue> {
  const right = wire.message(message).map((bytes) => {
    try {
      return toJson(message, fromBinary(message, bytes), { registry });
    } catch {
      return {};
    }
  });
  const names = message.fields.flatMap((field) => [field.name, field.jsonName]);
  const keys = fc.constantFrom(...names, ...names, "nope", "__proto__");
  const changes = fc.array(fc.tuple(fc.nat(), keys, odd), { maxLength: 3 });
  return fc.oneof(
    { weight: 3, arbitrary: right },
    { weight: 6, arbitrary: fc.tuple(right, changes).map(([json, changes]) => changes.reduce(changed, json)) },
    { weight: 1, arbitrary: odd },
  );
}

/** Sets a value at any depth: under a new key, or in place of another value. */
function changed(json: JsonValue, [at, key, value]: readonly [number, string, JsonValue]): JsonValue {
  if (typeof json !== "object" || json === null || at % 5 === 0) return value;
  const next = [Math.floor(at / 7), key, value] as const;
  if (Array.isArray(json)) {
    const place = at % (json.length + 1);
    return json.toSpliced(place, 1, place < json.length ? changed(json[place] as JsonValue, next) : value);
  }
  const own = Object.keys(json);
  const copy: JsonObject = { ...json };
  const name = own[at % (own.length + 1)];
  if (name === undefined) Object.defineProperty(copy, key, { value, enumerable: true, configurable: true });
  else copy[name] = changed(json[name] as JsonValue, next);
  return copy;
}
