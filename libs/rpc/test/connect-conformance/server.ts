/**
 * Connect's conformance service over our server: `node -C source
 * test/connect-conformance/server.ts TRANSPORT`. Its answers are what each request asks for. It
 * reads one ServerCompatRequest from its standard input and writes one ServerCompatResponse.
 */
import { once } from "node:events";
import { deadlineOf, sleep } from "@plumbline/concurrency";
import { codeFromNumber, ServiceError } from "@plumbline/errors";
import { noTelemetry } from "@plumbline/telemetry";
import type { Call } from "../../src/call.ts";
import { serve } from "../../src/server/serve.ts";
import { service } from "../../src/server/service.ts";
import { transportNames } from "../../src/transports/index.ts";
import { ServerCompatRequest, ServerCompatResponse } from "./gen/connectrpc/conformance/v1/server_compat.ts";
import {
  type Error as AskedError,
  BidiStreamRequest,
  ClientStreamRequest,
  type ConformancePayload,
  ConformancePayload_RequestInfo,
  ConformanceServiceDefinition,
  type Header,
  IdempotentUnaryRequest,
  ServerStreamRequest,
  UnaryRequest,
  type UnaryResponseDefinition,
} from "./gen/connectrpc/conformance/v1/service.ts";
import type { Any } from "./gen/google/protobuf/any.ts";
import { pack, pem, readMessages, toHeaders, toMetadata, writeMessage } from "./messages.ts";

const transport = transportNames.find((name) => name === process.argv[2]);
if (transport === undefined) throw new Error(`expected a transport: ${transportNames.join(", ")}`);

/** The deadline that a server gives unary calls without one. The suite expects to see none. */
const defaultTimeoutMs = 3_600_000;

/** Returns the parts of a call that the suite compares with what it sent. */
function infoOf(call: Call, requests: Any[]): ConformancePayload_RequestInfo {
  const left = (deadlineOf(call.signal) ?? Number.POSITIVE_INFINITY) - Date.now();
  return {
    requestHeaders: toHeaders(call.metadata),
    requests,
    connectGetInfo: undefined,
    timeoutMs: left > defaultTimeoutMs / 2 ? undefined : BigInt(Math.max(0, Math.floor(left))),
  };
}

/** Sets the headers and the trailers that a request asks for. */
function echo(call: Call, asked: { responseHeaders: Header[]; responseTrailers: Header[] } | undefined): void {
  for (const [name, value] of Object.entries(toMetadata(asked?.responseHeaders ?? []))) call.setHeader(name, value);
  for (const [name, value] of Object.entries(toMetadata(asked?.responseTrailers ?? []))) call.setTrailer(name, value);
}

/** Returns the error that a request asks for, with what the server has seen as a detail. */
function errorOf({ code, message = "", details }: AskedError, info?: ConformancePayload_RequestInfo): ServiceError {
  const seen = info && pack("ConformancePayload.RequestInfo", ConformancePayload_RequestInfo, info);
  return new ServiceError(codeFromNumber(code), message, { details: seen ? [...details, seen] : details });
}

function payload(data: Uint8Array, requestInfo?: ConformancePayload_RequestInfo): { payload: ConformancePayload } {
  return { payload: { data, requestInfo } };
}

async function answer(call: Call, asked: UnaryResponseDefinition | undefined, requests: Any[]) {
  echo(call, asked);
  if (asked !== undefined && asked.responseDelayMs > 0) await sleep(asked.responseDelayMs, call);
  const info = infoOf(call, requests);
  const response = asked?.response;
  if (response?.$case === "error") throw errorOf(response.value, info);
  return payload(response?.$case === "responseData" ? response.value : new Uint8Array(), info);
}

const { unimplemented: _, ...methods } = ConformanceServiceDefinition.methods;

const conformance = service(
  { ...ConformanceServiceDefinition, methods },
  {
    unary: (request, call) => answer(call, request.responseDefinition, [pack("UnaryRequest", UnaryRequest, request)]),
    idempotentUnary: (request, call) =>
      answer(call, request.responseDefinition, [pack("IdempotentUnaryRequest", IdempotentUnaryRequest, request)]),
    async clientStream(requests, call) {
      const seen: Any[] = [];
      let asked: UnaryResponseDefinition | undefined;
      for await (const request of requests) {
        if (seen.length === 0) asked = request.responseDefinition;
        seen.push(pack("ClientStreamRequest", ClientStreamRequest, request));
      }
      return await answer(call, asked, seen);
    },
    async *serverStream(request, call) {
      const asked = request.responseDefinition;
      echo(call, asked);
      const info = infoOf(call, [pack("ServerStreamRequest", ServerStreamRequest, request)]);
      const { responseData = [], responseDelayMs = 0, error } = asked ?? {};
      for (const [index, data] of responseData.entries()) {
        if (responseDelayMs > 0) await sleep(responseDelayMs, call);
        yield payload(data, index === 0 ? info : undefined);
      }
      if (error !== undefined) throw errorOf(error, responseData.length === 0 ? info : undefined);
    },
    async *bidiStream(requests, call) {
      let seen: Any[] = [];
      let asked: BidiStreamRequest | undefined;
      let sent = 0;
      const next = async function* () {
        const { responseData = [], responseDelayMs = 0 } = asked?.responseDefinition ?? {};
        const data = responseData[sent];
        if (data === undefined) return;
        if (responseDelayMs > 0) await sleep(responseDelayMs, call);
        // The first answer has all that was seen so far, and in full duplex each has its request.
        const info = sent === 0 ? infoOf(call, seen) : undefined;
        const of = asked?.fullDuplex === true && seen.length > 0 ? { requestHeaders: [], requests: seen } : undefined;
        sent++;
        yield payload(data, info ?? (of && { ...of, timeoutMs: undefined, connectGetInfo: undefined }));
        seen = [];
      };
      for await (const request of requests) {
        seen.push(pack("BidiStreamRequest", BidiStreamRequest, request));
        if (asked === undefined) {
          asked = request;
          echo(call, request.responseDefinition);
        }
        if (!asked.fullDuplex) continue;
        if (sent >= (asked.responseDefinition?.responseData.length ?? 0)) break;
        yield* next();
      }
      const asking = asked?.responseDefinition;
      while (sent < (asking?.responseData.length ?? 0)) yield* next();
      if (asking?.error !== undefined) throw errorOf(asking.error, sent === 0 ? infoOf(call, seen) : undefined);
    },
  },
);

for await (const bytes of readMessages(process.stdin)) {
  const { useTls, serverCreds, clientTlsCert, messageReceiveLimit } = ServerCompatRequest.decode(bytes);
  const certificate = pem(serverCreds?.cert) ?? "";
  const tls = { certificate, key: pem(serverCreds?.key) ?? "", clientCa: pem(clientTlsCert) };
  const options = { host: "127.0.0.1", port: 0, transport, defaultTimeoutMs, tls: useTls ? tls : undefined };
  const maxMessageBytes = messageReceiveLimit === 0 ? undefined : messageReceiveLimit;
  await using server = await serve(
    { services: [conformance], telemetry: noTelemetry },
    { ...options, maxMessageBytes },
  );
  const pemCert = Buffer.from(useTls ? certificate : "");
  writeMessage(ServerCompatResponse.encode({ host: "127.0.0.1", port: server.port, pemCert }).finish());
  await once(process, "SIGTERM");
  process.exit(0); // Calls that a case has left open would be waited for.
}
