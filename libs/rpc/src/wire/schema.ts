import {
  createFileRegistry,
  type DescFile,
  type DescMessage,
  fromJson,
  type JsonObject,
  type Message,
} from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import {
  FileDescriptorProtoSchema,
  file_google_protobuf_any,
  file_google_protobuf_duration,
} from "@bufbuild/protobuf/wkt";

const imports: readonly DescFile[] = [file_google_protobuf_any, file_google_protobuf_duration];

/**
 * A proto file written as data: gRPC's own small protocols (health, reflection, error details) are a dozen messages, and
 * no installed package has their protos. The descriptor gives the codecs, and reflection serves it as it is.
 */
export function defineFile(file: JsonObject): DescFile {
  const proto = fromJson(FileDescriptorProtoSchema, { syntax: "proto3", ...file });
  const found = createFileRegistry(proto, (name) => imports.find((known) => known.proto.name === name)).getFile(
    proto.name,
  );
  if (found === undefined) throw new Error(`${proto.name} did not become a file`);
  return found;
}

/** A message of `file`, with the type its codec works on. The type is a claim: it repeats what the descriptor says. */
export function messageOf<T extends object>(file: DescFile, name: string): GenMessage<Message & T> {
  const found: DescMessage | undefined = file.messages.find((message) => message.name === name);
  if (found === undefined) throw new Error(`${file.proto.name} has no message ${name}`);
  return found as GenMessage<Message & T>;
}

type Type = "string" | "bytes" | "int32" | "bool";
const scalars: Record<Type, string> = {
  string: "TYPE_STRING",
  bytes: "TYPE_BYTES",
  int32: "TYPE_INT32",
  bool: "TYPE_BOOL",
};

interface FieldOptions {
  readonly repeated?: boolean;
  /** Position of the oneof this field belongs to. */
  readonly oneof?: number;
}

/** A field of a scalar type, or of a message when `type` begins with a dot, or of an enum when it begins with "enum .". */
export function field(
  number: number,
  name: string,
  type: string,
  { repeated = false, oneof }: FieldOptions = {},
): JsonObject {
  const scalar = scalars[type as Type] as string | undefined;
  const named = type.startsWith("enum ")
    ? { type: "TYPE_ENUM", typeName: type.slice("enum ".length) }
    : { type: "TYPE_MESSAGE", typeName: type };
  return {
    name,
    number,
    label: repeated ? "LABEL_REPEATED" : "LABEL_OPTIONAL",
    ...(scalar === undefined ? named : { type: scalar }),
    ...(oneof === undefined ? {} : { oneofIndex: oneof }),
  };
}
