import assert from "node:assert/strict";
import { test } from "node:test";
import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { descriptorSet, GreeterService } from "@plumbline/contracts";
import { noTelemetry } from "@plumbline/telemetry";
import { connect } from "../client/connect.ts";
import { createClient } from "../client/create-client.ts";
import {
  type ServerReflectionRequest,
  type ServerReflectionResponse,
  ServerReflectionDefinition as v1,
} from "../gen/grpc/reflection/v1/reflection.ts";
import { ServerReflectionDefinition as v1alpha } from "../gen/grpc/reflection/v1alpha/reflection.ts";
import { serve } from "./serve.ts";
import { service } from "./service.ts";

type Asked = ServerReflectionRequest["messageRequest"];
type Answer = ServerReflectionResponse["messageResponse"];

/** Sends all requests on one stream, as tools do. */
async function ask(version: "v1" | "v1alpha", ...asked: Asked[]): Promise<Answer[]> {
  const greeter = service(GreeterService, { sayHello: async ({ name }) => ({ message: name }) });
  const parts = { services: [greeter], descriptors: descriptorSet, telemetry: noTelemetry };
  await using server = await serve(parts, { host: "127.0.0.1", port: 0 });
  await using channel = await connect(`127.0.0.1:${server.port}`, noTelemetry, { timeoutMs: 5_000 });
  async function* requests(): AsyncGenerator<ServerReflectionRequest> {
    for (const messageRequest of asked) yield { host: "here", messageRequest };
  }
  const client = createClient(version === "v1" ? v1 : v1alpha, channel);
  const responses = await Array.fromAsync(client.serverReflectionInfo(requests()));
  for (const { validHost, originalRequest } of responses) {
    assert.equal(validHost, "here");
    assert.equal(originalRequest?.host, "here");
  }
  return responses.map(({ messageResponse }) => messageResponse);
}

function filesOf(answer: Answer | undefined): string[] {
  assert.equal(answer?.$case, "fileDescriptorResponse");
  return answer.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes).name);
}

for (const version of ["v1", "v1alpha"] as const) {
  test(`${version} lists the services, itself included`, async () => {
    const [answer] = await ask(version, { $case: "listServices", value: "" });
    assert.equal(answer?.$case, "listServicesResponse");
    assert.deepEqual(
      answer.value.service.map(({ name }) => name),
      [
        "greeter.v1.Greeter",
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
      ],
    );
  });
}

test("a server whose setting is off describes nothing, and serves", async () => {
  const greeter = service(GreeterService, { sayHello: async ({ name }) => ({ message: name }) });
  const parts = { services: [greeter], descriptors: descriptorSet, telemetry: noTelemetry };
  await using server = await serve(parts, { host: "127.0.0.1", port: 0, reflection: false });
  await using channel = await connect(`127.0.0.1:${server.port}`, noTelemetry, { timeoutMs: 5_000 });
  async function* nothing(): AsyncGenerator<ServerReflectionRequest> {}
  for (const definition of [v1, v1alpha]) {
    const asked = Array.fromAsync(createClient(definition, channel).serverReflectionInfo(nothing()));
    await assert.rejects(asked, { code: "unimplemented" });
  }
  assert.deepEqual(await createClient(GreeterService, channel).sayHello({ name: "Ada" }), { message: "Ada" });
});

test("every listed service can be described, with all imports", async () => {
  const [list] = await ask("v1", { $case: "listServices", value: "" });
  assert.equal(list?.$case, "listServicesResponse");
  for (const { name } of list.value.service) {
    const [answer] = await ask("v1", { $case: "fileContainingSymbol", value: name });
    assert.equal(answer?.$case, "fileDescriptorResponse");
    const files = answer.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
    const [asked] = files;
    assert.ok(asked);
    // Throws if an import is missing.
    const registry = createFileRegistry(asked, (wanted) => files.find((file) => file.name === wanted));
    assert.ok(registry.getService(name), name);
  }
});

for (const symbol of [
  "greeter.v1.Greeter",
  "greeter.v1.Greeter.SayHello",
  "greeter.v1.HelloRequest",
  "greeter.v1.HelloRequest.name",
]) {
  test(`${symbol} is found in its file`, async () => {
    const [answer] = await ask("v1", { $case: "fileContainingSymbol", value: symbol });
    assert.equal(filesOf(answer)[0], "greeter/v1/greeter.proto");
  });
}

test("a file, an extension and the numbers of a type's extensions are found", async () => {
  const [file, extension, numbers] = await ask(
    "v1",
    { $case: "fileByFilename", value: "orders/v1/orders.proto" },
    {
      $case: "fileContainingExtension",
      value: { containingType: "google.protobuf.MethodOptions", extensionNumber: 72_295_728 },
    },
    { $case: "allExtensionNumbersOfType", value: "google.protobuf.MethodOptions" },
  );
  assert.equal(filesOf(file)[0], "orders/v1/orders.proto");
  assert.equal(filesOf(extension)[0], "google/api/annotations.proto");
  assert.ok(numbers?.$case === "allExtensionNumbersResponse" && numbers.value.extensionNumber.includes(72_295_728));
});

test("an unknown symbol is not found, and the stream stays open", async () => {
  const answers = await ask(
    "v1",
    { $case: "fileContainingSymbol", value: "nobody.v1.Nothing" },
    { $case: "fileContainingSymbol", value: "" },
    { $case: "fileByFilename", value: "nothing.proto" },
    { $case: "allExtensionNumbersOfType", value: "nobody.v1.Nothing" },
    undefined,
    { $case: "fileByFilename", value: "greeter/v1/greeter.proto" },
  );
  const codes = answers.map((answer) => (answer?.$case === "errorResponse" ? answer.value.errorCode : 0));
  assert.deepEqual(codes, [5, 5, 5, 5, 3, 0]);
});

test("the descriptor set of the contracts is complete", () => {
  assert.doesNotThrow(() => createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptorSet)));
});

test("the types of error details are described, which tools need to show them", async () => {
  for (const name of ["Status", "ErrorInfo", "BadRequest", "RetryInfo"]) {
    const [answer] = await ask("v1", { $case: "fileContainingSymbol", value: `google.rpc.${name}` });
    assert.ok(
      filesOf(answer).some((file) => /^google\/rpc\/(?:status|error_details)\.proto$/.test(file)),
      name,
    );
  }
});
