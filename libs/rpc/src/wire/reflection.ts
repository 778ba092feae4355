/** grpc.reflection, as grpc/reflection/v1/reflection.proto has it. v1alpha is the same under an older package name. */
import { methodOf } from "./method.ts";
import { defineFile, field, messageOf } from "./schema.ts";

export interface ExtensionRequest {
  containingType: string;
  extensionNumber: number;
}

type RequestCase =
  | { case: "fileByFilename" | "fileContainingSymbol" | "allExtensionNumbersOfType" | "listServices"; value: string }
  | { case: "fileContainingExtension"; value: ExtensionRequest }
  | { case: undefined; value?: undefined };

export interface ReflectionRequest {
  host: string;
  messageRequest: RequestCase;
}

export type ReflectionAnswer =
  | { case: "fileDescriptorResponse"; value: { fileDescriptorProto: Uint8Array[] } }
  | { case: "allExtensionNumbersResponse"; value: { baseTypeName: string; extensionNumber: number[] } }
  | { case: "listServicesResponse"; value: { service: { name: string }[] } }
  | { case: "errorResponse"; value: { errorCode: number; errorMessage: string } };

export interface ReflectionResponse {
  validHost: string;
  originalRequest?: ReflectionRequest | undefined;
  messageResponse: ReflectionAnswer;
}

/** The file and the service of one version. */
export function reflectionOf(version: "v1" | "v1alpha") {
  const pkg = `grpc.reflection.${version}`;
  const file = defineFile({
    name: `grpc/reflection/${version}/reflection.proto`,
    package: pkg,
    messageType: [
      {
        name: "ServerReflectionRequest",
        field: [
          field(1, "host", "string"),
          field(3, "file_by_filename", "string", { oneof: 0 }),
          field(4, "file_containing_symbol", "string", { oneof: 0 }),
          field(5, "file_containing_extension", `.${pkg}.ExtensionRequest`, { oneof: 0 }),
          field(6, "all_extension_numbers_of_type", "string", { oneof: 0 }),
          field(7, "list_services", "string", { oneof: 0 }),
        ],
        oneofDecl: [{ name: "message_request" }],
      },
      {
        name: "ExtensionRequest",
        field: [field(1, "containing_type", "string"), field(2, "extension_number", "int32")],
      },
      {
        name: "ServerReflectionResponse",
        field: [
          field(1, "valid_host", "string"),
          field(2, "original_request", `.${pkg}.ServerReflectionRequest`),
          field(4, "file_descriptor_response", `.${pkg}.FileDescriptorResponse`, { oneof: 0 }),
          field(5, "all_extension_numbers_response", `.${pkg}.ExtensionNumberResponse`, { oneof: 0 }),
          field(6, "list_services_response", `.${pkg}.ListServiceResponse`, { oneof: 0 }),
          field(7, "error_response", `.${pkg}.ErrorResponse`, { oneof: 0 }),
        ],
        oneofDecl: [{ name: "message_response" }],
      },
      { name: "FileDescriptorResponse", field: [field(1, "file_descriptor_proto", "bytes", { repeated: true })] },
      {
        name: "ExtensionNumberResponse",
        field: [field(1, "base_type_name", "string"), field(2, "extension_number", "int32", { repeated: true })],
      },
      { name: "ListServiceResponse", field: [field(1, "service", `.${pkg}.ServiceResponse`, { repeated: true })] },
      { name: "ServiceResponse", field: [field(1, "name", "string")] },
      { name: "ErrorResponse", field: [field(1, "error_code", "int32"), field(2, "error_message", "string")] },
    ],
    service: [
      {
        name: "ServerReflection",
        method: [
          {
            name: "ServerReflectionInfo",
            inputType: `.${pkg}.ServerReflectionRequest`,
            outputType: `.${pkg}.ServerReflectionResponse`,
            clientStreaming: true,
            serverStreaming: true,
          },
        ],
      },
    ],
  });
  const service = {
    serverReflectionInfo: methodOf(
      `/${pkg}.ServerReflection/ServerReflectionInfo`,
      messageOf<ReflectionRequest>(file, "ServerReflectionRequest"),
      messageOf<ReflectionResponse>(file, "ServerReflectionResponse"),
      { requestStream: true, responseStream: true },
    ),
  } as const;
  return { file, service };
}
