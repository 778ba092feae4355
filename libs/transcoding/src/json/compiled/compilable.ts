import type { DescMessage } from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import { isWrapper } from "../../descriptors/fields.ts";
import { isWellKnown } from "../check-well-known.ts";

/**
 * Returns true for a message that is an object with a key per field and uses proto3 features only.
 */
export function isCompilable(message: DescMessage): boolean {
  return (
    !isWellKnown(message) &&
    !isWrapper(message) &&
    message.fields.every(
      (field) =>
        // Other keys need escapes, or look like an index, which JavaScript objects order first.
        /^[A-Za-z_]\w*$/.test(field.jsonName) &&
        field.jsonName !== "__proto__" &&
        field.presence !== FeatureSet_FieldPresence.LEGACY_REQUIRED &&
        !(field.message !== undefined && field.fieldKind !== "map" && field.delimitedEncoding),
    )
  );
}
