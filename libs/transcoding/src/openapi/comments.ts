import type { DescEnumValue, DescField, DescMessage, DescMethod, DescService } from "@bufbuild/protobuf";
import { getComments } from "./source-info.ts";

/** What a proto says of something: the comment above it, else the one behind it; undefined where there is none. */
export function commentOf(
  what: DescService | DescMethod | DescMessage | DescField | DescEnumValue,
): string | undefined {
  const { leading, trailing } = getComments(what);
  const text = (leading ?? trailing ?? "")
    .split("\n")
    .map((line) => line.replace(/^ /, "").trimEnd())
    .join("\n")
    .trim();
  return text === "" ? undefined : text;
}

/** The first sentence, for a list of operations. */
export function firstSentence(text: string | undefined): string | undefined {
  return text
    ?.split(/(?<=[.!?;:])\s/)[0]
    ?.replaceAll("\n", " ")
    .replace(/[.;:]$/, "");
}
