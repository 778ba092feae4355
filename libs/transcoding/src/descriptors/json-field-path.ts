import type { DescMessage } from "@bufbuild/protobuf";
import { fieldNamed } from "./fields.ts";

/**
 * Converts a path to JSON names: `items[2].unit_price` to `items[2].unitPrice`. Unknown names stay.
 */
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
