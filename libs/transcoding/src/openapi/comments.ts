import type { DescEnumValue, DescField, DescMessage, DescMethod, DescService } from "@bufbuild/protobuf";
import { getComments } from "./source-info.ts";

/**
 * Returns the comment of a definition: the one above it, else the one behind it; undefined if there
 * is none.
 */
export function commentOf(
  definition: DescService | DescMethod | DescMessage | DescField | DescEnumValue,
): string | undefined {
  const { leading, trailing } = getComments(definition);
  const text = (leading ?? trailing ?? "")
    .split("\n")
    .map((line) => line.replace(/^ /, "").trimEnd())
    .join("\n")
    .trim();
  return text === "" ? undefined : text;
}

/** Returns the first sentence, for a list of operations. */
export function firstSentence(text: string | undefined): string | undefined {
  return text
    ?.split(/(?<=[.!?;:])\s/)[0]
    ?.replaceAll("\n", " ")
    .replace(/[.;:]$/, "");
}
