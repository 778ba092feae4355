import type { DescMessage } from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import { isWrapper } from "../../descriptors/fields.ts";
import { isWellKnown } from "../check-well-known.ts";

/** Whether a message is an object with a key per field, and none of its fields is of a kind that proto3 has not. */
export function isCompilable(message: DescMessage): boolean {
  return (
    !isWellKnown(message) &&
    !isWrapper(message) &&
    message.fields.every(
      (field) =>
        // Other keys would need escapes, or stand first in an object of JavaScript as they look like an index.
        /^[A-Za-z_]\w*$/.test(field.jsonName) &&
        field.jsonName !== "__proto__" &&
        field.presence !== FeatureSet_FieldPresence.LEGACY_REQUIRED &&
        !(field.message !== undefined && field.fieldKind !== "map" && field.delimitedEncoding),
    )
  );
}
