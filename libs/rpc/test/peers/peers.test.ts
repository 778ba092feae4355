/**
 * Other implementations of gRPC as clients and servers of ours, over each transport: gRPC's C core
 * by grpcio, and grpc-java. Both speak text without protobuf, in the same cases.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { ServiceError } from "@plumbline/errors";
import { noTelemetry } from "@plumbline/telemetry";
import { connect } from "../../src/client/connect.ts";
import { type Client, createClient } from "../../src/client/create-client.ts";
import { ca, server as pair } from "../../src/conformance/certificates.ts";
import { Conformance, echo, untilAborted } from "../../src/conformance/test-context.ts";
import type { Metadata } from "../../src/metadata.ts";
import { type RpcServer, type ServeOptions, serve } from "../../src/server/serve.ts";
import { service } from "../../src/server/service.ts";
import { type TransportName, transportNames } from "../../src/transports/index.ts";
import { grpcio, grpcJava, type Peer, runClient, startServer } from "./peers.ts";

/** The cases of a client, of which none may be missing from what it prints. */
const clientCases = [
  "echo",
  "gzip",
  "status",
  "metadata",
  "deadline",
  "cancel",
  "streamed",
  "bulk",
  "uploaded",
  "answered_early",
  "both_ways",
  "unknown",
  "too_large",
  "reconnects",
];

const block = "x".repeat(65_536);
const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
const timeoutMs = 60_000;

/** Starts a server of ours that does what the first word of a request says. */
async function start(transport: TransportName, tls?: ServeOptions["tls"]): Promise<RpcServer> {
  let waiting = 0;
  const handlers = {
    ...echo,
    async unary(request, call) {
      switch (request) {
        case "fail":
          throw new ServiceError("not_found", "there is no ☺");
        case "waiting":
          return `${waiting}`;
        case "wait":
          waiting++;
          try {
            return await untilAborted(call);
          } finally {
            waiting--;
          }
        case "metadata":
          call.setHeader("back", call.metadata.get("there") ?? "");
          call.setTrailer("back-bin", call.metadata.getBinary("there-bin") ?? new Uint8Array());
          return request;
        case "recycle":
          server.recycle();
          return request;
        default:
          return request;
      }
    },
    async clientStream(requests) {
      let octets = 0;
      for await (const request of requests) {
        if (request === "enough") break;
        octets += request.length;
      }
      return `${octets}`;
    },
    async *serverStream(request) {
      const [word, count] = request.split(" ");
      for (let index = 0; index < Number(count); index++) yield word === "bulk" ? block : `${index}`;
    },
  } satisfies typeof echo;
  const server: RpcServer = await serve(
    { services: [service(Conformance, handlers)], telemetry: noTelemetry },
    { host: "127.0.0.1", port: 0, transport, tls },
  );
  return server;
}

/** The cases of our client. */
const serverCases: Readonly<Record<string, (client: Client<typeof Conformance>) => Promise<void>>> = {
  async echo(client) {
    for (const text of ["", "hällo ☺", "z".repeat(1024 * 1024)]) assert.equal(await client.unary(text), text);
  },
  async gzip(client) {
    assert.equal((await client.unary("gzip 200000")).length, 200_000);
  },
  async status(client) {
    await assert.rejects(client.unary("fail"), { code: "not_found", message: "there is no ☺" });
  },
  async metadata(client) {
    const seen: { headers?: Metadata; trailers?: Metadata } = {};
    await client.unary("metadata", {
      metadata: { there: "text", "there-bin": bytes },
      onHeaders: (headers) => (seen.headers = headers),
      onTrailers: (trailers) => (seen.trailers = trailers),
    });
    assert.equal(seen.headers?.get("back"), "text");
    assert.deepEqual(seen.trailers?.getBinary("back-bin"), bytes);
  },
  async deadline(client) {
    await assert.rejects(client.unary("wait", { timeoutMs: 200 }), { code: "deadline_exceeded" });
    await nobodyWaits(client);
  },
  async cancel(client) {
    const controller = new AbortController();
    const waiting = client.unary("wait", { signal: controller.signal });
    const rejected = assert.rejects(waiting, { name: "AbortError" });
    while ((await client.unary("waiting")) === "0") await delay(10);
    controller.abort();
    await rejected;
    await nobodyWaits(client);
  },
  async streamed(client) {
    const answers = await Array.fromAsync(client.serverStream("count 1000"), Number);
    assert.deepEqual(answers, [...Array(1000).keys()]);
  },
  async bulk(client) {
    let octets = 0;
    for await (const answer of client.serverStream("bulk 64")) {
      octets += answer.length;
      await delay(2);
    }
    assert.equal(octets, 64 * 65_536);
  },
  async uploaded(client) {
    assert.equal(await client.clientStream(repeat("abc", 1000)), "3000");
  },
  async answered_early(client) {
    assert.equal(await client.clientStream(repeat("enough", Number.POSITIVE_INFINITY)), "0");
  },
  async both_ways(client) {
    assert.equal((await Array.fromAsync(client.bidiStream(repeat("abc", 100)))).length, 100);
  },
};

async function* repeat(text: string, times: number): AsyncGenerator<string> {
  for (let index = 0; index < times; index++) yield text;
}

async function nobodyWaits(client: Client<typeof Conformance>): Promise<void> {
  while ((await client.unary("waiting")) !== "0") await delay(10);
}

for (const [name, prepare] of Object.entries({ grpcio, "grpc-java": grpcJava })) {
  const had: Peer | Error = await prepare().catch((error: Error) => error);
  const skip = had instanceof Error && `NOT TESTED: ${name} cannot be had: ${had.message.split("\n", 2).join(" ")}`;
  const peer = had as Peer;

  for (const transport of transportNames) {
    test(`a client of ${name} of our server on ${transport}`, { skip, timeout: 300_000 }, async (t) => {
      await using server = await start(transport);
      await report(await runClient(peer, server.port), transport, t);
    });

    test(`a client of ${name} of our server on ${transport} over TLS`, { skip, timeout: 300_000 }, async (t) => {
      const folder = await mkdtemp(join(tmpdir(), "peer-"));
      await using server = await start(transport, pair);
      try {
        await writeFile(join(folder, "ca.crt"), ca);
        await report(await runClient(peer, server.port, join(folder, "ca.crt")), transport, t);
      } finally {
        await rm(folder, { recursive: true });
      }
    });

    test(`our client on ${transport} of a server of ${name}`, { skip, timeout: 300_000 }, async (t) => {
      await using server = await startServer(peer);
      await using channel = await connect(`127.0.0.1:${server.port}`, noTelemetry, { transport, timeoutMs });
      const client = createClient(Conformance, channel);
      await channel.ready({ signal: AbortSignal.timeout(timeoutMs) });
      for (const [one, run] of Object.entries(serverCases)) await t.test(one, () => run(client));
    });
  }
}

/** Makes a test of each line that a client printed. */
async function report(lines: readonly string[], transport: TransportName, t: test.TestContext): Promise<void> {
  // node:http2 sends one GOAWAY, which a call that is just sent may meet.
  const cases = transport === "http2" ? clientCases : clientCases.filter((one) => one !== "reconnects");
  for (const one of cases) {
    const line = lines.find((text) => text.split(" ").includes(one)) ?? `${one} is missing: ${lines.join("; ")}`;
    await t.test(one, () => assert.equal(line, `ok ${one}`));
  }
}
