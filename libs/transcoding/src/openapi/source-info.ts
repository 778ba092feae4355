import type {
  DescEnum,
  DescEnumValue,
  DescField,
  DescFile,
  DescMessage,
  DescMethod,
  DescService,
} from "@bufbuild/protobuf";

type Described = DescService | DescMethod | DescMessage | DescField | DescEnum | DescEnumValue;

/** The field numbers of descriptor.proto that make the path of a SourceCodeInfo.Location. */
const number = {
  file: { message: 4, enum: 5, service: 6 },
  message: { field: 2, nested: 3, enum: 4 },
  enumValue: 2,
  method: 2,
};

/**
 * Returns the comments of a definition. Both are absent if the descriptors were built without
 * source info.
 */
export function getComments(definition: Described): { readonly leading?: string; readonly trailing?: string } {
  const info = fileOf(definition).proto.sourceCodeInfo;
  if (info === undefined) return {};
  const path = pathOf(definition);
  const location = info.location.find(
    (one) => one.path.length === path.length && one.path.every((part, index) => part === path[index]),
  );
  return {
    ...(location?.leadingComments !== undefined &&
      location.leadingComments !== "" && { leading: location.leadingComments }),
    ...(location?.trailingComments !== undefined &&
      location.trailingComments !== "" && { trailing: location.trailingComments }),
  };
}

function fileOf(what: Described): DescFile {
  return "file" in what ? what.file : fileOf(what.parent);
}

function pathOf(what: Described): readonly number[] {
  if (what.kind === "service") return [number.file.service, what.file.services.indexOf(what)];
  if (what.kind === "rpc") return [...pathOf(what.parent), number.method, what.parent.methods.indexOf(what)];
  if (what.kind === "field")
    return [...pathOf(what.parent), number.message.field, what.parent.proto.field.indexOf(what.proto)];
  if (what.kind === "enum_value")
    return [...pathOf(what.parent), number.enumValue, what.parent.proto.value.indexOf(what.proto)];
  const { parent, file } = what;
  // The index in the proto: the list in the descriptor omits the entry types of maps.
  if (what.kind === "message") {
    return parent === undefined
      ? [number.file.message, file.proto.messageType.indexOf(what.proto)]
      : [...pathOf(parent), number.message.nested, parent.proto.nestedType.indexOf(what.proto)];
  }
  return parent === undefined
    ? [number.file.enum, file.proto.enumType.indexOf(what.proto)]
    : [...pathOf(parent), number.message.enum, parent.proto.enumType.indexOf(what.proto)];
}
