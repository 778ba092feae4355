import type { JsonObject, JsonValue } from "@bufbuild/protobuf";

/** Sets a key of a JSON object, `__proto__` included, which an assignment would not set. */
export function setOwn(object: JsonObject, key: string, value: JsonValue): void {
  if (key !== "__proto__") object[key] = value;
  else Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
}
