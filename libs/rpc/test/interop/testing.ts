/** grpc.testing, as far as the interop cases use it (grpc/testing/messages.proto and test.proto). */
import { methodOf } from "../../src/wire/method.ts";
import { defineFile, field, messageOf } from "../../src/wire/schema.ts";

const file = defineFile({
  name: "grpc/testing/test.proto",
  package: "grpc.testing",
  messageType: [
    { name: "Empty" },
    { name: "Payload", field: [field(1, "type", "int32"), field(2, "body", "bytes")] },
    { name: "EchoStatus", field: [field(1, "code", "int32"), field(2, "message", "string")] },
    {
      name: "SimpleRequest",
      field: [
        field(2, "response_size", "int32"),
        field(3, "payload", ".grpc.testing.Payload"),
        field(7, "response_status", ".grpc.testing.EchoStatus"),
      ],
    },
    { name: "SimpleResponse", field: [field(1, "payload", ".grpc.testing.Payload")] },
    { name: "StreamingInputCallRequest", field: [field(1, "payload", ".grpc.testing.Payload")] },
    { name: "StreamingInputCallResponse", field: [field(1, "aggregated_payload_size", "int32")] },
    { name: "ResponseParameters", field: [field(1, "size", "int32"), field(2, "interval_us", "int32")] },
    {
      name: "StreamingOutputCallRequest",
      field: [
        field(2, "response_parameters", ".grpc.testing.ResponseParameters", { repeated: true }),
        field(3, "payload", ".grpc.testing.Payload"),
        field(7, "response_status", ".grpc.testing.EchoStatus"),
      ],
    },
    { name: "StreamingOutputCallResponse", field: [field(1, "payload", ".grpc.testing.Payload")] },
  ],
});

export interface Payload {
  body: Uint8Array;
}
export interface EchoStatus {
  code: number;
  message: string;
}
interface SimpleRequest {
  responseSize?: number;
  payload?: Payload;
  responseStatus?: EchoStatus;
}
interface OutputRequest {
  responseParameters?: { size?: number; intervalUs?: number }[];
  payload?: Payload;
  responseStatus?: EchoStatus;
}

const Empty = messageOf<object>(file, "Empty");
const Simple = messageOf<SimpleRequest>(file, "SimpleRequest");
const SimpleAnswer = messageOf<{ payload?: Payload }>(file, "SimpleResponse");
const Input = messageOf<{ payload?: Payload }>(file, "StreamingInputCallRequest");
const InputAnswer = messageOf<{ aggregatedPayloadSize: number }>(file, "StreamingInputCallResponse");
const Output = messageOf<OutputRequest>(file, "StreamingOutputCallRequest");
const OutputAnswer = messageOf<{ payload?: Payload }>(file, "StreamingOutputCallResponse");

const unary = { requestStream: false, responseStream: false } as const;
const service = "/grpc.testing.TestService";

export const TestService = {
  emptyCall: methodOf(`${service}/EmptyCall`, Empty, Empty, unary),
  unaryCall: methodOf(`${service}/UnaryCall`, Simple, SimpleAnswer, unary),
  streamingInputCall: methodOf(`${service}/StreamingInputCall`, Input, InputAnswer, {
    requestStream: true,
    responseStream: false,
  }),
  streamingOutputCall: methodOf(`${service}/StreamingOutputCall`, Output, OutputAnswer, {
    requestStream: false,
    responseStream: true,
  }),
  fullDuplexCall: methodOf(`${service}/FullDuplexCall`, Output, OutputAnswer, {
    requestStream: true,
    responseStream: true,
  }),
} as const;

/** What no server has. */
export const Unimplemented = {
  method: methodOf(`${service}/UnimplementedCall`, Empty, Empty, unary),
  service: methodOf("/grpc.testing.UnimplementedService/UnimplementedCall", Empty, Empty, unary),
} as const;
