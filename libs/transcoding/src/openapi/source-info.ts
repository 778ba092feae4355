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

/** Numbers of the fields of descriptor.proto that a SourceCodeInfo.Location's path is made of. */
const number = {
  file: { message: 4, enum: 5, service: 6 },
  message: { field: 2, nested: 3, enum: 4 },
  enumValue: 2,
  method: 2,
};

/** The comments that protoc and buf keep beside a definition. Both undefined when the set was built without them. */
export function getComments(what: Described): { readonly leading?: string; readonly trailing?: string } {
  const info = fileOf(what).proto.sourceCodeInfo;
  if (info === undefined) return {};
  const path = pathOf(what);
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
  // By the proto's own list: that of the descriptor leaves out the entry types of maps.
  if (what.kind === "message") {
    return parent === undefined
      ? [number.file.message, file.proto.messageType.indexOf(what.proto)]
      : [...pathOf(parent), number.message.nested, parent.proto.nestedType.indexOf(what.proto)];
  }
  return parent === undefined
    ? [number.file.enum, file.proto.enumType.indexOf(what.proto)]
    : [...pathOf(parent), number.message.enum, parent.proto.enumType.indexOf(what.proto)];
}
