/** grpc.testing.TestService, as the interop cases require it of a server. */
import { sleep } from "@plumbline/concurrency";
import { codeFromNumber, ServiceError } from "@plumbline/errors";
import { noTelemetry } from "@plumbline/telemetry";
import type { Call } from "../../src/call.ts";
import { type RpcServer, type ServeOptions, serve } from "../../src/server/serve.ts";
import { service } from "../../src/server/service.ts";
import type { TransportName } from "../../src/transports/index.ts";
import { type EchoStatus, type Payload, PayloadType } from "../gen/grpc/testing/messages.ts";
import { TestServiceDefinition } from "../gen/grpc/testing/test.ts";

function echoMetadata(call: Call): void {
  const initial = call.metadata.get("x-grpc-test-echo-initial");
  if (initial !== undefined) call.setHeader("x-grpc-test-echo-initial", initial);
  const trailing = call.metadata.getBinary("x-grpc-test-echo-trailing-bin");
  if (trailing !== undefined) call.setTrailer("x-grpc-test-echo-trailing-bin", trailing);
}

function echoStatus(status: EchoStatus | undefined): void {
  if (status !== undefined && status.code !== 0) throw new ServiceError(codeFromNumber(status.code), status.message);
}

function payload(size = 0): { payload: Payload } {
  return { payload: { type: PayloadType.COMPRESSABLE, body: new Uint8Array(size) } };
}

// The methods that the cases call. An unimplemented one, such as UnimplementedCall, is a case too.
const { emptyCall, unaryCall, streamingInputCall, streamingOutputCall, fullDuplexCall } = TestServiceDefinition.methods;
const methods = { emptyCall, unaryCall, streamingInputCall, streamingOutputCall, fullDuplexCall };

const testService = service(
  { ...TestServiceDefinition, methods },
  {
    emptyCall: async () => ({}),
    async unaryCall({ responseSize, responseStatus }, call) {
      echoMetadata(call);
      echoStatus(responseStatus);
      return { ...payload(responseSize), username: "", oauthScope: "" };
    },
    async streamingInputCall(requests) {
      let aggregatedPayloadSize = 0;
      for await (const { payload } of requests) aggregatedPayloadSize += payload?.body.length ?? 0;
      return { aggregatedPayloadSize };
    },
    async *streamingOutputCall({ responseParameters }, { signal }) {
      for (const { size, intervalUs } of responseParameters) {
        await sleep(intervalUs / 1_000, { signal });
        yield payload(size);
      }
    },
    async *fullDuplexCall(requests, call) {
      echoMetadata(call);
      for await (const { responseParameters, responseStatus } of requests) {
        echoStatus(responseStatus);
        for (const { size, intervalUs } of responseParameters) {
          await sleep(intervalUs / 1_000, call);
          yield payload(size);
        }
      }
    },
  },
);

export function serveInterop(transport: TransportName, tls?: ServeOptions["tls"]): Promise<RpcServer> {
  return serve({ services: [testService], telemetry: noTelemetry }, { host: "127.0.0.1", port: 0, transport, tls });
}
