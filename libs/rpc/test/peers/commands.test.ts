/** grpcurl, by reflection, and h2load, at full speed, against our server on each transport. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { descriptorSet, GreeterService } from "@plumbline/contracts";
import { ServiceError } from "@plumbline/errors";
import { noTelemetry } from "@plumbline/telemetry";
import { interopProgram, whyNoInteropProgram } from "@plumbline/tools-go";
import { ca, server as pair } from "../../src/conformance/certificates.ts";
import { type RpcServer, type ServeOptions, serve } from "../../src/server/serve.ts";
import { service } from "../../src/server/service.ts";
import { type TransportName, transportNames } from "../../src/transports/index.ts";

const run = promisify(execFile);
const noGrpcurl = whyNoInteropProgram("grpcurl");
// Built before the first case, since that takes a minute or two without Go's build cache.
if (noGrpcurl === undefined) interopProgram("grpcurl");
const noH2load = await run("h2load", ["--version"]).then(
  () => false as const,
  () => "NOT TESTED: there is no h2load on PATH: apt-get install nghttp2-client",
);

const greeter = service(GreeterService, {
  async sayHello({ name }) {
    if (name === "") throw new ServiceError("invalid_argument", "whom?");
    return { message: `Hello ${name}` };
  },
});

function start(transport: TransportName, tls?: ServeOptions["tls"]): Promise<RpcServer> {
  return serve(
    { services: [greeter], descriptors: descriptorSet, telemetry: noTelemetry },
    { host: "127.0.0.1", port: 0, transport, tls },
  );
}

async function grpcurl(...args: string[]): Promise<string> {
  return (await run(interopProgram("grpcurl"), args, { timeout: 60_000 })).stdout;
}

for (const transport of transportNames) {
  test(`grpcurl lists, describes and calls a server on ${transport}`, {
    skip: noGrpcurl !== undefined && `NOT TESTED: ${noGrpcurl}`,
    timeout: 120_000,
  }, async () => {
    await using server = await start(transport);
    const address = `127.0.0.1:${server.port}`;
    const services = (await grpcurl("-plaintext", address, "list")).split("\n");
    for (const name of ["greeter.v1.Greeter", "grpc.health.v1.Health"]) assert.ok(services.includes(name), name);
    assert.match(await grpcurl("-plaintext", address, "describe", "greeter.v1.Greeter"), /rpc SayHello/);
    const hello = (name: string) => [
      "-plaintext",
      "-d",
      JSON.stringify({ name }),
      address,
      "greeter.v1.Greeter/SayHello",
    ];
    assert.deepEqual(JSON.parse(await grpcurl(...hello("Ada ☺"))), { message: "Hello Ada ☺" });
    // Its exit code is 64 and the status.
    await assert.rejects(grpcurl(...hello("")), { code: 64 + 3, stderr: /whom\?/ });
  });

  test(`grpcurl calls a server on ${transport} over TLS`, {
    skip: noGrpcurl !== undefined && `NOT TESTED: ${noGrpcurl}`,
    timeout: 120_000,
  }, async () => {
    const folder = await mkdtemp(join(tmpdir(), "grpcurl-"));
    await using server = await start(transport, pair);
    try {
      await writeFile(join(folder, "ca.crt"), ca);
      const trust = ["-cacert", join(folder, "ca.crt")];
      const call = ["-d", '{"name":"Ada"}', `localhost:${server.port}`, "greeter.v1.Greeter/SayHello"];
      const answer = await grpcurl(...trust, ...call);
      assert.deepEqual(JSON.parse(answer), { message: "Hello Ada" });
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test(`h2load gets an answer to each of 5,000 calls at once of a server on ${transport}`, {
    skip: noH2load,
    timeout: 120_000,
  }, async () => {
    const folder = await mkdtemp(join(tmpdir(), "h2load-"));
    await using server = await start(transport);
    try {
      // A message with the one field `name`. All messages of a connection are more than its window.
      const request = Buffer.concat([Buffer.from([0, 0, 0, 0, 102, 10, 100]), Buffer.alloc(100, "a")]);
      await writeFile(join(folder, "request"), request);
      const load = ["-n", "5000", "-c", "5", "-m", "100", "-d", join(folder, "request")];
      const headers = ["-H", "content-type: application/grpc", "-H", "te: trailers"];
      const url = `http://127.0.0.1:${server.port}/greeter.v1.Greeter/SayHello`;
      const { stdout } = await run("h2load", [...load, ...headers, url], { timeout: 100_000 });
      assert.match(stdout, /5000 total, 5000 started, 5000 done, 5000 succeeded, 0 failed, 0 errored, 0 timeout/);
      assert.match(stdout, /status codes: 5000 2xx, 0 3xx, 0 4xx, 0 5xx/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
}
