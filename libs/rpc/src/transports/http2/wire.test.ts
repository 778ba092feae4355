/** Tests of the bytes on the wire, and of the responses to clients that do not speak gRPC. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { describe, test } from "node:test";
import { codeOf } from "@plumbline/errors";
import { Connection, createListener, dial, ErrorCode, HeaderField, type Http2Stream } from "@plumbline/http2";
import { noTelemetry } from "@plumbline/telemetry";
import * as fc from "fast-check";
import { Conformance } from "../../conformance/test-context.ts";
import { pathOf } from "../../definition.ts";
import { connect, createClient, serve, service } from "../../index.ts";
import { Metadata } from "../../metadata.ts";
import { formatTimeout, parseTimeout } from "../timeout.ts";
import { appendMetadata, metadataOf } from "./fields.ts";
import { MessageReader, prefixOf } from "./messages.ts";
import { percentDecode, percentEncode } from "./percent.ts";

describe("grpc-timeout", () => {
  for (const { ms, text } of [
    { ms: 0.2, text: "1m" },
    { ms: 1, text: "1m" },
    { ms: 1_500, text: "1500m" },
    { ms: 99_999_999, text: "99999999m" },
    { ms: 100_000_000, text: "100000S" },
    { ms: 1e12, text: "277778H" },
  ]) {
    test(`${ms} ms is formatted as ${text}, and never less`, () => {
      assert.equal(formatTimeout(ms), text);
      assert.ok((parseTimeout(text) ?? 0) >= ms);
    });
  }

  for (const { text, ms } of [
    { text: "2H", ms: 7_200_000 },
    { text: "3M", ms: 180_000 },
    { text: "5u", ms: 0.005 },
    { text: "7n", ms: 7e-6 },
    { text: "", ms: undefined },
    { text: "1", ms: undefined },
    { text: "-1S", ms: undefined },
    { text: "123456789S", ms: undefined },
    { text: "1s", ms: undefined },
  ]) {
    test(`${JSON.stringify(text)} is ${ms}`, () => assert.equal(parseTimeout(text), ms));
  }
});

test("any message survives percent-encoding, in printable ASCII without blanks at its ends", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const encoded = percentEncode(text.toWellFormed());
      assert.match(encoded, /^(?:[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)?$/);
      assert.equal(percentDecode(encoded), text.toWellFormed());
    }),
  );
});

test("an invalid percent-encoding is read unchanged", () => assert.equal(percentDecode("50 % of %zz"), "50 % of %zz"));

test("bytes in metadata are sent without padding, and read with and without it", () => {
  const fields: HeaderField[] = [];
  appendMetadata(fields, new Metadata({ "a-bin": Uint8Array.of(1), text: " blanks around " }));
  assert.deepEqual(
    fields.map(({ name, value }) => [name, value]),
    [
      ["a-bin", "AQ"],
      ["text", "blanks around"],
    ],
  );
  for (const value of ["AQ", "AQ==", "AQ,Ag"]) {
    assert.deepEqual(metadataOf([new HeaderField("a-bin", value)]).getBinary("a-bin"), Uint8Array.of(1));
  }
});

test("messages are the same wherever the data is cut, and every octet is accounted for", () => {
  const messages = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 6 });
  fc.assert(
    fc.property(messages, fc.array(fc.nat(), { maxLength: 12 }), (messages, cuts) => {
      const data = Buffer.concat(messages.flatMap((message) => [prefixOf(message), message]));
      const got: Uint8Array[] = [];
      const reader = new MessageReader(300, (message) => got.push(message));
      const at = [0, ...cuts.map((cut) => cut % (data.length + 1)).sort((a, b) => a - b), data.length];
      for (const [index, end] of at.slice(1).entries()) reader.push(data.subarray(at[index], end));
      assert.deepEqual(
        got.map((message) => Buffer.from(message)),
        messages.map((message) => Buffer.from(message)),
      );
      assert.ok(reader.isAtEnd);
    }),
  );
});

for (const { name, data, code } of [
  {
    name: "a message above the bound is rejected by its length, before it arrives",
    data: "0000000065",
    code: "resource_exhausted",
  },
  { name: "a compressed message without an encoding is rejected", data: "010000000000", code: "internal" },
  { name: "a message with an unknown flag is rejected", data: "020000000000", code: "internal" },
]) {
  test(name, () => {
    const reader = new MessageReader(100, () => {});
    assert.throws(() => reader.push(Buffer.from(data, "hex")), { code });
  });
}

const plain = {
  ":method": "POST",
  ":scheme": "http",
  ":path": pathOf(Conformance, Conformance.methods.unary),
  ":authority": "x",
  te: "trailers",
};

/**
 * Sends a request with `fields` and `data` to our server, and resolves with the response's fields
 * by name.
 */
async function answerTo(fields: Record<string, string>, data = Buffer.alloc(5)): Promise<Map<string, string>> {
  const echo = service(
    { ...Conformance, methods: { unary: Conformance.methods.unary } },
    { unary: async (text) => text },
  );
  await using server = await serve(
    { services: [echo], telemetry: noTelemetry },
    { host: "127.0.0.1", port: 0, transport: "http2" },
  );
  const got = new Map<string, string>();
  const done = Promise.withResolvers<Map<string, string>>();
  const take = (list: readonly HeaderField[]): void => list.forEach(({ name, value }) => got.set(name, value));
  const connection = new Connection(dial({ host: "127.0.0.1", port: server.port }), "client", {
    onSettings() {
      const list = Object.entries({ ...plain, ...fields }).map(([name, value]) => new HeaderField(name, value));
      const stream = connection.open(list, false, {
        onHeaders(list, isLast) {
          take(list);
          if (isLast) done.resolve(got);
        },
        onData: (_, isLast) => isLast && done.resolve(got),
        onTrailers(list) {
          take(list);
          done.resolve(got);
        },
        onReset: done.reject,
        onDrain: () => {},
      });
      stream.sendData(data, true);
    },
  });
  const answer = await done.promise;
  connection.destroy();
  return answer;
}

const grpc = { "content-type": "application/grpc" };
for (const { name, fields, data, want } of [
  { name: "a call is answered", fields: grpc, data: undefined, want: { ":status": "200", "grpc-status": "0" } },
  {
    name: "a content-type of a codec is gRPC too",
    fields: { "content-type": "application/grpc+proto" },
    data: undefined,
    want: { "grpc-status": "0" },
  },
  {
    name: "another content-type is answered in HTTP",
    fields: { "content-type": "application/json" },
    data: undefined,
    want: { ":status": "415" },
  },
  {
    name: "gRPC-Web is not gRPC",
    fields: { "content-type": "application/grpc-web" },
    data: undefined,
    want: { ":status": "415" },
  },
  {
    name: "another method than POST is answered in HTTP",
    fields: { ...grpc, ":method": "PUT" },
    data: undefined,
    want: { ":status": "405" },
  },
  {
    name: "an unknown encoding is unimplemented, and the response names the accepted ones",
    fields: { ...grpc, "grpc-encoding": "br" },
    data: undefined,
    want: { "grpc-status": "12", "grpc-accept-encoding": "identity,gzip" },
  },
  {
    name: "a malformed timeout is rejected",
    fields: { ...grpc, "grpc-timeout": "soon" },
    data: undefined,
    want: { "grpc-status": "13" },
  },
  {
    name: "two requests to a unary method are rejected",
    fields: grpc,
    data: Buffer.alloc(10),
    want: { "grpc-status": "12" },
  },
  {
    name: "no request to a unary method is rejected",
    fields: grpc,
    data: Buffer.alloc(0),
    want: { "grpc-status": "12" },
  },
  {
    name: "half a request is rejected",
    fields: grpc,
    data: Buffer.from("00000000020a", "hex"),
    want: { "grpc-status": "13", "grpc-message": "the request ends within a message" },
  },
]) {
  test(name, async () => {
    const answer = await answerTo(fields, data);
    for (const [field, value] of Object.entries(want)) assert.equal(answer.get(field), value, field);
  });
}

/** Serves requests by `answer`, which gets the number of earlier requests. */
async function startServer(answer: (stream: Http2Stream, count: number) => void) {
  let count = 0;
  const sockets = new Set<Connection>();
  const listener = createListener((socket) => {
    const handler = { onHeaders() {}, onData() {}, onTrailers() {}, onReset() {}, onDrain() {} };
    const connection: Connection = new Connection(socket, "server", {
      onStream(stream) {
        answer(stream, count++);
        return handler;
      },
    });
    sockets.add(connection);
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  const channel = await connect(`127.0.0.1:${port}`, noTelemetry, { transport: "http2", timeoutMs: 5_000 });
  return {
    client: createClient(Conformance, channel),
    calls: () => count,
    async [Symbol.asyncDispose]() {
      await channel[Symbol.asyncDispose]();
      listener.close();
      for (const connection of sockets) connection.destroy();
    },
  };
}

for (const { status, code } of [
  { status: "400", code: "internal" },
  { status: "401", code: "unauthenticated" },
  { status: "403", code: "permission_denied" },
  { status: "404", code: "unimplemented" },
  { status: "429", code: "unavailable" },
  { status: "503", code: "unavailable" },
  { status: "418", code: "unknown" },
  { status: "200", code: "unknown" },
]) {
  test(`HTTP status ${status} without gRPC is ${code}`, async () => {
    await using server = await startServer((stream) => {
      stream.sendHeaders([new HeaderField(":status", status), new HeaderField("content-type", "text/html")], false);
    });
    await assert.rejects(server.client.unary(""), { code });
  });
}

for (const { reset, code } of [
  { reset: ErrorCode.cancel, code: "cancelled" },
  { reset: ErrorCode.enhanceYourCalm, code: "resource_exhausted" },
  { reset: ErrorCode.inadequateSecurity, code: "permission_denied" },
  { reset: ErrorCode.internalError, code: "internal" },
  { reset: ErrorCode.noError, code: "internal" },
]) {
  test(`a call reset with ${reset} is ${code}`, async () => {
    await using server = await startServer((stream) => stream.reset(reset));
    await assert.rejects(server.client.unary(""), { code });
    assert.equal(server.calls(), 1);
  });
}

test("a refused call is sent again, unary or a stream with all its messages, but only so often", async () => {
  const { unary, bidiStream } = await (async () => {
    await using server = await startServer((stream, count) => {
      if (count % 2 === 0) return stream.reset(ErrorCode.refusedStream);
      stream.sendHeaders(
        [new HeaderField(":status", "200"), new HeaderField("content-type", "application/grpc")],
        false,
      );
      stream.sendData(Buffer.from("hi"), false, prefixOf(Buffer.from("hi")));
      stream.sendHeaders([new HeaderField("grpc-status", "0")], true);
    });
    async function* requests(): AsyncGenerator<string> {
      yield "a";
      yield "b";
    }
    return {
      unary: await server.client.unary(""),
      bidiStream: await Array.fromAsync(server.client.bidiStream(requests())),
    };
  })();
  assert.deepEqual([unary, bidiStream], ["hi", ["hi"]]);

  await using refusing = await startServer((stream) => stream.reset(ErrorCode.refusedStream));
  assert.equal(codeOf(await refusing.client.unary("").catch((error: unknown) => error)), "unavailable");
  assert.equal(refusing.calls(), 5);
});
