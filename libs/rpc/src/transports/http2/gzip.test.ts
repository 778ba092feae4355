import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { Client, compressionAlgorithms, credentials } from "@grpc/grpc-js";
import { noTelemetry } from "@plumbline/telemetry";
import { Conformance, echo } from "../../conformance/test-context.ts";
import { pathOf } from "../../definition.ts";
import { serve, service } from "../../index.ts";
import { inflate } from "./gzip.ts";

const identity = (bytes: Buffer): Buffer => bytes;

test("a client of grpc-js that compresses what it sends is answered", async () => {
  await using server = await serve(
    { services: [service(Conformance, echo)], telemetry: noTelemetry },
    { host: "127.0.0.1", port: 0, transport: "http2" },
  );
  const client = new Client(`127.0.0.1:${server.port}`, credentials.createInsecure(), {
    "grpc.default_compression_algorithm": compressionAlgorithms.gzip,
  });
  try {
    const sent = Buffer.from("abc".repeat(10_000));
    const { unary, bidiStream } = Conformance.methods;
    const { promise, resolve, reject } = Promise.withResolvers<Buffer | undefined>();
    client.makeUnaryRequest(pathOf(Conformance, unary), identity, identity, sent, (error, answer) =>
      error === null ? resolve(answer) : reject(error),
    );
    assert.deepEqual(await promise, sent);

    const stream = client.makeBidiStreamRequest(pathOf(Conformance, bidiStream), identity, identity);
    for (const text of ["a", "b"]) stream.write(Buffer.from(text));
    stream.end();
    assert.equal(`${Buffer.concat(await stream.toArray())}`, "ab");
  } finally {
    client.close();
  }
});

test("clients take turns when messages are inflated, whatever one of them sends", async () => {
  const large = gzipSync(crypto.getRandomValues(new Uint8Array(60_000)));
  const small = gzipSync("abc");
  const ended: string[] = [];
  const run = async (message: Uint8Array, share: string) => {
    await inflate(message, 100_000, share);
    ended.push(share);
  };
  await Promise.all([...Array.from({ length: 20 }, () => run(large, "greedy")), run(small, "other")]);
  assert.ok(ended.indexOf("other") <= 4, ended.join());
});

test("a message of exactly the limit is inflated, and one byte more is refused", async () => {
  assert.equal((await inflate(gzipSync(Buffer.alloc(50_000)), 50_000, "")).length, 50_000);
  await assert.rejects(inflate(gzipSync(Buffer.alloc(50_001)), 50_000, ""), { code: "resource_exhausted" });
});
