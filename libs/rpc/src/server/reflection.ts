import { createFileRegistry, type DescFile, type FileRegistry, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { codeToNumber } from "@plumbline/errors";
import { descriptorSet as ownDescriptors } from "../gen/descriptors.ts";
import {
  type ServerReflectionRequest,
  type ServerReflectionResponse,
  ServerReflectionDefinition as v1,
} from "../gen/grpc/reflection/v1/reflection.ts";
import { ServerReflectionDefinition as v1alpha } from "../gen/grpc/reflection/v1alpha/reflection.ts";
import { type ServiceImplementation, service } from "./service.ts";

type Answer = ServerReflectionResponse["messageResponse"];

/**
 * Returns server reflection in both versions, so that tools can call `services` without their
 * protos.
 */
export function reflectionServices(
  descriptors: Uint8Array,
  services: readonly ServiceImplementation[],
): ServiceImplementation[] {
  const registries = [ownDescriptors, descriptors].map((set) =>
    createFileRegistry(fromBinary(FileDescriptorSetSchema, set)),
  );
  const names = services.map(({ name }) => name);
  const answers = new Answers(createFileRegistry(...registries), names);
  // The messages of both versions are the same.
  const served = [v1, v1alpha].map((definition) =>
    service(definition, {
      async *serverReflectionInfo(requests) {
        for await (const request of requests) yield answers.to(request);
      },
    }),
  );
  names.push(...served.map(({ name }) => name));
  return served;
}

class Answers {
  readonly #registry: FileRegistry;
  readonly #names: readonly string[];

  constructor(registry: FileRegistry, names: readonly string[]) {
    this.#registry = registry;
    this.#names = names;
  }

  to(request: ServerReflectionRequest): ServerReflectionResponse {
    return { validHost: request.host, originalRequest: request, messageResponse: this.#answer(request.messageRequest) };
  }

  #answer(asked: ServerReflectionRequest["messageRequest"]): Answer {
    switch (asked?.$case) {
      case "listServices":
        return { $case: "listServicesResponse", value: { service: this.#names.toSorted().map((name) => ({ name })) } };
      case "fileByFilename":
        return this.#withImports(this.#registry.getFile(asked.value), asked.value);
      case "fileContainingSymbol":
        return this.#withImports(this.#fileOf(asked.value), asked.value);
      case "fileContainingExtension": {
        const { containingType, extensionNumber } = asked.value;
        const extended = this.#registry.getMessage(containingType);
        const extension = extended && this.#registry.getExtensionFor(extended, extensionNumber);
        return this.#withImports(extension?.file, `extension ${extensionNumber} of ${containingType}`);
      }
      case "allExtensionNumbersOfType": {
        if (this.#registry.getMessage(asked.value) === undefined) return notFound(asked.value);
        const extensions = [...this.#registry].filter((type) => type.kind === "extension");
        const extensionNumber = extensions
          .filter(({ extendee }) => extendee.typeName === asked.value)
          .map(({ number }) => number);
        return { $case: "allExtensionNumbersResponse", value: { baseTypeName: asked.value, extensionNumber } };
      }
      case undefined:
        break;
    }
    return failed("invalid_argument", "the request asks for nothing");
  }

  /**
   * Returns the file of a symbol: a type, or a member of one such as a method, a field or an enum
   * value.
   */
  #fileOf(symbol: string): DescFile | undefined {
    const found =
      this.#registry.get(symbol) ?? this.#registry.get(symbol.slice(0, Math.max(0, symbol.lastIndexOf("."))));
    return found?.file;
  }

  #withImports(file: DescFile | undefined, asked: string): Answer {
    if (file === undefined) return notFound(asked);
    const all = new Set<DescFile>();
    const add = (next: DescFile): void => {
      if (all.has(next)) return;
      all.add(next);
      next.dependencies.forEach(add);
    };
    add(file);
    const fileDescriptorProto = [...all].map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto));
    return { $case: "fileDescriptorResponse", value: { fileDescriptorProto } };
  }
}

function notFound(asked: string): Answer {
  return failed("not_found", `not found: ${asked.slice(0, 200)}`);
}

function failed(code: "not_found" | "invalid_argument", errorMessage: string): Answer {
  return { $case: "errorResponse", value: { errorCode: codeToNumber(code), errorMessage } };
}
