/** Tests against a stock grpc-js client and server, and of connections over time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  Client,
  credentials,
  type ServiceError as GrpcError,
  Metadata as GrpcMetadata,
  type handleUnaryCall,
  Server,
  ServerCredentials,
  status,
} from "@grpc/grpc-js";
import { ServiceError } from "@plumbline/errors";
import { noTelemetry } from "@plumbline/telemetry";
import { connect } from "../../client/connect.ts";
import { createClient } from "../../client/create-client.ts";
import { Conformance, type ConformanceHandlers } from "../../conformance/test-context.ts";
import { pathOf } from "../../definition.ts";
import { Metadata } from "../../metadata.ts";
import { type ServeOptions, serve } from "../../server/serve.ts";
import { service } from "../../server/service.ts";
import { toGrpc } from "./metadata.ts";

const unaryPath = pathOf(Conformance, Conformance.methods.unary);
const serverStreamPath = pathOf(Conformance, Conformance.methods.serverStream);
const asIs = (bytes: Buffer): Buffer => bytes;

const handlers: ConformanceHandlers = {
  async unary(request, call) {
    if (request === "fail") {
      throw new ServiceError("failed_precondition", "not now: 100 %", { reason: "ORDER_ALREADY_FULFILLED" });
    }
    return `${request} from ${call.peer}`;
  },
  clientStream: async () => "",
  async *serverStream(request) {
    yield `${request} 1`;
    yield `${request} 2`;
  },
  async *bidiStream(requests) {
    yield* requests;
  },
};

function open(options: Partial<ServeOptions> = {}) {
  return serve(
    { services: [service(Conformance, handlers)], telemetry: noTelemetry },
    { host: "127.0.0.1", port: 0, ...options },
  );
}

test("a stock client gets messages, streams, and errors with their details", async () => {
  await using server = await open();
  const client = new Client(`127.0.0.1:${server.port}`, credentials.createInsecure());
  const call = (text: string): Promise<string> =>
    new Promise((resolve, reject) => {
      client.makeUnaryRequest(unaryPath, asIs, asIs, Buffer.from(text), (error, answer) =>
        error ? reject(error) : resolve(`${answer}`),
      );
    });
  try {
    assert.match(await call("hi"), /^hi from 127\.0\.0\.1:\d+$/);
    const stream = client.makeServerStreamRequest(serverStreamPath, asIs, asIs, Buffer.from("hi"));
    assert.deepEqual((await Array.fromAsync(stream)).map(String), ["hi 1", "hi 2"]);
    await assert.rejects(call("fail"), (error: GrpcError) => {
      assert.equal(error.code, 9);
      assert.equal(error.details, "not now: 100 %");
      assert.match(
        String(error.metadata.get("grpc-status-details-bin")[0]),
        /ErrorInfo.*ORDER_ALREADY_FULFILLED.*plumbline/s,
      );
      return true;
    });
  } finally {
    client.close();
  }
});

test("calls to a stock server handle bare codes and repeated headers", async () => {
  const server = new Server();
  const answer: handleUnaryCall<Buffer, Buffer> = (call, callback) => {
    const headers = new GrpcMetadata();
    headers.add("twice", "a");
    headers.add("twice", "b");
    call.sendMetadata(headers);
    if (`${call.request}` === "fail") callback({ code: status.NOT_FOUND, details: "no such thing" });
    else callback(null, call.request);
  };
  server.register(unaryPath, answer, asIs, asIs, "unary");
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  try {
    await using channel = await connect(`127.0.0.1:${port}`, noTelemetry, { timeoutMs: 5_000 });
    const client = createClient(Conformance, channel);
    let headers: Metadata | undefined;
    assert.equal(await client.unary("hi", { onHeaders: (got) => (headers = got) }), "hi");
    assert.equal(headers?.get("twice"), "a, b");
    await assert.rejects(client.unary("fail"), { code: "not_found", message: "no such thing", violations: [] });
  } finally {
    server.forceShutdown();
  }
});

test("bytes are sent without padding, each of those with one name, and as often as grpc-js copies them", () => {
  const metadata = new Metadata({ "a-bin": Uint8Array.of(1), "b-bin": Uint8Array.of(1, 2, 3), text: "1" });
  metadata.append("a-bin", Uint8Array.of(2));
  const sent = { "a-bin": ["AQ", "Ag"], "b-bin": "AQID", text: "1" };
  for (const grpc of [toGrpc(metadata), toGrpc(metadata).clone().clone()]) {
    assert.deepEqual({ ...grpc.toHttp2Headers() }, sent);
  }
});

test("a connection that reaches its age is replaced, and no call is lost", { timeout: 20_000 }, async () => {
  await using server = await open({ maxConnectionAgeMs: 100 });
  await using channel = await connect(`127.0.0.1:${server.port}`, noTelemetry, { timeoutMs: 5_000 });
  const client = createClient(Conformance, channel);
  const peers = new Set<string>();
  while (peers.size < 3) peers.add(await client.unary("hi"));
});
