import type { DescMessage } from "@bufbuild/protobuf";
import { fieldNamed } from "./fields.ts";

/** `items[2].unit_price` as a client of JSON writes it: `items[2].unitPrice`. What is no field stays as it is. */
export function jsonFieldPath(message: DescMessage, path: string): string {
  let inside: DescMessage | undefined = message;
  return path
    .split(".")
    .map((part) => {
      const [, name = part, index = ""] = /^(\w+)(.*)$/.exec(part) ?? [];
      const field = inside === undefined ? undefined : fieldNamed(inside, name);
      inside = field?.message;
      return `${field?.jsonName ?? name}${index}`;
    })
    .join(".");
}
