/** Tests of calls where the environment names an HTTP proxy, as Docker sets it in containers. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { describe, test } from "node:test";
import { noTelemetry } from "@plumbline/telemetry";
import { Conformance } from "../src/conformance/test-context.ts";
import { connect, createClient, serve, service } from "../src/index.ts";

const { unary } = Conformance.methods;
const methods = { ...Conformance, methods: { unary } };

/** Sets a variable until it is disposed. */
function setVariable(name: string, value: string): Disposable {
  const before = process.env[name];
  process.env[name] = value;
  return {
    [Symbol.dispose]: () => {
      if (before === undefined) delete process.env[name];
      else process.env[name] = before;
    },
  };
}

for (const transport of ["http2", "grpc-js"] as const) {
  void describe(`over ${transport}`, () => {
    for (const variable of ["http_proxy", "HTTP_PROXY", "https_proxy", "grpc_proxy", "all_proxy"]) {
      for (const host of ["127.0.0.1", "localhost"]) {
        void test(`a call to ${host} is not sent to the proxy in ${variable}`, { timeout: 30_000 }, async () => {
          let connections = 0;
          const proxy = createServer((socket) => {
            connections++;
            socket.destroy();
          });
          proxy.listen(0, "127.0.0.1");
          await once(proxy, "listening");
          using _variable = setVariable(variable, `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`);
          const parts = { services: [service(methods, { unary: async (text) => text })], telemetry: noTelemetry };
          await using server = await serve(parts, { host, port: 0, graceMs: 100, transport });
          await using channel = await connect(`${host}:${server.port}`, noTelemetry, { transport });
          assert.equal(await createClient(methods, channel).unary("direct", { timeoutMs: 20_000 }), "direct");
          assert.equal(connections, 0);
          proxy.close();
        });
      }
    }
  });
}
