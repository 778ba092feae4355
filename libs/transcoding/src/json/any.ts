import {
  type DescMessage,
  fromBinary,
  isMessage,
  type JsonValue,
  type Message,
  type Registry,
  toBinary,
} from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import { fieldNamed, isWrapper } from "../descriptors/fields.ts";
import { isWellKnown } from "./check-well-known.ts";

/** Returns the name of the type that a type URL of a google.protobuf.Any ends with. */
export function typeNameOf(url: string): string {
  return url.slice(url.lastIndexOf("/") + 1);
}

/** Returns true for the URL that `fromJson` gives a type. It stands for a bare name too. */
export function isDefaultUrl(url: string): boolean {
  return !url.includes("/") || url === `type.googleapis.com/${typeNameOf(url)}`;
}

/**
 * Sets the type URLs of a message's Anys to those of the JSON that it was read from: `fromJson`
 * writes its own prefix into all.
 */
export function keepTypeUrls(desc: DescMessage, message: Message, json: JsonValue, registry: Registry): void {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return;
  if (isMessage(message, AnySchema)) {
    const url = json["@type"];
    const inner = typeof url === "string" ? registry.getMessage(typeNameOf(url)) : undefined;
    if (typeof url !== "string" || inner === undefined) return;
    if (url.includes("/")) message.typeUrl = url;
    const unpacked = fromBinary(inner, message.value);
    keepTypeUrls(inner, unpacked, inner.typeName === AnySchema.typeName ? (json["value"] ?? null) : json, registry);
    message.value = toBinary(inner, unpacked);
    return;
  }
  if (isWellKnown(desc) || isWrapper(desc)) return;
  const fields = reflect(desc, message);
  for (const [key, value] of Object.entries(json)) {
    const field = fieldNamed(desc, key);
    if (field?.message === undefined || value === null || !holdsMessages(field.message)) continue;
    const inner = field.message;
    if (field.fieldKind === "message") keepTypeUrls(inner, fields.get(field).message, value, registry);
    else if (field.fieldKind === "list" && field.listKind === "message")
      for (const [index, item] of [...fields.get(field)].entries())
        keepTypeUrls(inner, (item as { message: Message }).message, (value as JsonValue[])[index] ?? null, registry);
    else if (field.fieldKind === "map")
      for (const [name, item] of fields.get(field))
        keepTypeUrls(
          inner,
          (item as { message: Message }).message,
          (value as Record<string, JsonValue>)[String(name)] ?? null,
          registry,
        );
  }
}

function holdsMessages(message: DescMessage): boolean {
  return message.typeName === AnySchema.typeName || !(isWellKnown(message) || isWrapper(message));
}
