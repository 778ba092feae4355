/** One contract, two languages: the same calls to greeter and greeter-go, as real processes. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { GreeterService } from "@plumbline/contracts";
import { codeOf } from "@plumbline/errors";
import {
  type CallOptions,
  type Channel,
  type ConnectOptions,
  connect,
  createClient,
  HealthService,
  type Metadata,
  servingStatus,
  transportNames,
} from "@plumbline/rpc";
import { testCa, testClient, testServer } from "@plumbline/rpc/conformance";
import { noTelemetry } from "@plumbline/telemetry";
import { type CertificateRequest, newAuthority } from "@plumbline/tools-engines";
import { whyNoGo } from "@plumbline/tools-go";
import { contract } from "../src/greeter-contract.ts";
import { buildGreeterInGo, Greeter, greeterInTypeScript, type Program } from "../src/greeter-process.ts";
import { root } from "../src/stack.ts";
import { transports } from "../src/transports.ts";

const withoutGo = whyNoGo(join(root, "apps/greeter-go"));
const start = { TypeScript: () => greeterInTypeScript, Go: buildGreeterInGo } as const;
/** The transport of our client, and of the server in TypeScript. */
const pairs = (["TypeScript", "Go"] as const).flatMap((language) =>
  transports.map((transport) => ({ language, transport })),
);

for (const { language, transport } of pairs) {
  describe(`greeter in ${language}, called over ${transport}`, { timeout: 300_000 }, () => {
    const open = (target: string): Promise<Channel> =>
      // Above the server's limit, so that the server refuses and not the client.
      connect(target, noTelemetry, { transport, timeoutMs: 5_000, maxMessageBytes: 16 * 1024 * 1024 });
    const options = { skip: (language === "Go" && withoutGo) || false, timeout: 60_000 };
    let program: Program & Partial<Disposable>;
    let greeter: Greeter;
    let channel: Channel;
    before(async () => {
      if (options.skip !== false) return;
      program = start[language]();
      greeter = new Greeter(program, { GREETER_RPC_TRANSPORT: transport });
      channel = await open((await greeter.addresses).rpc);
    });
    after(async () => {
      await channel?.[Symbol.asyncDispose]();
      greeter?.[Symbol.dispose]();
      program?.[Symbol.dispose]?.();
    });

    for (const { name, call, want } of contract) {
      test(name, options, async () => {
        if ("answer" in want) {
          const got = await call(channel);
          assert.deepEqual(got instanceof Uint8Array ? Uint8Array.from(got) : got, want.answer);
        } else await assert.rejects(call(channel), want.failure);
      });
    }

    test("a cancelled call has no effect on later calls", options, async () => {
      const stop = new AbortController();
      const statuses = createClient(HealthService, channel).watch({ service: "" }, { signal: stop.signal });
      await assert.rejects(async () => {
        for await (const { status } of statuses) {
          assert.equal(status, servingStatus.SERVING);
          stop.abort();
        }
      }, /abort/i);
      assert.deepEqual(await createClient(GreeterService, channel).sayHello({ name: "Ada" }), { message: "Hello Ada" });
    });

    test(
      "streams above their limit are shed with a retry delay, unary calls and health checks are not",
      options,
      async () => {
        using full = new Greeter(program, { GREETER_RPC_TRANSPORT: transport, GREETER_RPC_MAX_STREAMS: "1" });
        await using channel = await open((await full.addresses).rpc);
        // A reflection call counts like any other, and stays open as long as the test needs.
        const stop = new AbortController();
        const reflect = (options: CallOptions = {}) => {
          const requests = (async function* () {
            yield Uint8Array.from([0x3a, 0]);
            await once(stop.signal, "abort");
          })();
          const method = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
          return channel.bidiStream(method, requests, { signal: stop.signal, ...options })[Symbol.asyncIterator]();
        };
        const answers = reflect();
        await answers.next();
        let pushback: string | undefined;
        const onTrailers = (trailers: Metadata) => {
          pushback = trailers.get("grpc-retry-pushback-ms");
        };
        await assert.rejects(reflect({ onTrailers }).next(), {
          code: "unavailable",
          message: "the server is at its limit: too many calls at once",
          retryAfterMs: 100,
        });
        assert.equal(pushback, "100");
        assert.deepEqual(await createClient(GreeterService, channel).sayHello({ name: "Ada" }), {
          message: "Hello Ada",
        });
        assert.equal((await createClient(HealthService, channel).check({ service: "" })).status, servingStatus.SERVING);
        stop.abort();
        await answers.next().catch(() => {});
      },
    );

    test("a call writes one log line, in its caller's trace", options, async () => {
      const trace = "0af7651916cd43dd8448eb211c80319c";
      const metadata = { traceparent: `00-${trace}-b7ad6b7169203331-01` };
      await createClient(GreeterService, channel).sayHello({ name: "Ada" }, { metadata });
      const line = await greeter.line((line) => line["trace_id"] === trace);
      const fields = "code durationMs level message method peer service span_id time trace_id";
      assert.equal(Object.keys(line).sort().join(" "), fields);
      const { level, service, message, method, code } = line;
      assert.deepEqual(
        { level, service, message, method, code },
        { level: "info", service: "greeter", message: "call", method: "greeter.v1.Greeter/SayHello", code: "ok" },
      );
      assert.match(String(line["time"]), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      assert.match(String(line["span_id"]), /^(?!b7ad6b7169203331)[0-9a-f]{16}$/);
      assert.match(String(line["peer"]), /^127\.0\.0\.1:\d+$/);
      assert.equal(typeof line["durationMs"], "number");
    });

    test("a call without a trace begins one", options, async () => {
      await createClient(GreeterService, channel)
        .sayHello({ name: "" })
        .catch(() => {});
      const line = await greeter.line((line) => line["code"] === "invalid_argument");
      assert.match(String(line["trace_id"]), /^[0-9a-f]{32}$/);
    });

    test("metrics have the same names and labels", options, async () => {
      const client = createClient(GreeterService, channel);
      await client.sayHello({ name: "Ada" });
      await client.sayHello({ name: "" }).catch(() => {});
      const text = await (await fetch(`${(await greeter.addresses).ops}/metrics`)).text();
      for (const code of ["ok", "invalid_argument"]) {
        assert.match(text, series("rpc_server_call_duration_seconds_count", "greeter.v1.Greeter/SayHello", code));
        assert.match(text, series("rpc_server_call_duration_seconds_bucket", "greeter.v1.Greeter/SayHello", code));
      }
      assert.match(text, /^rpc_server_calls_in_flight\{method="greeter\.v1\.Greeter\/SayHello"\} 0$/m);
      assert.match(text, /^target_info\{service_name="greeter",service_version="0.1.0"\} 1$/m);
      const bounds = [...text.matchAll(/duration_seconds_bucket\{.*?le="([^"]+)"/g)].map(([, le]) => le);
      const want = "0.005 0.01 0.025 0.05 0.075 0.1 0.25 0.5 0.75 1 2.5 5 7.5 10 +Inf";
      assert.equal([...new Set(bounds)].join(" "), want);
    });

    for (const { path, status, body } of [
      { path: "/healthz", status: 200, body: { status: "SERVING" } },
      { path: "/readyz", status: 200, body: { status: "SERVING", draining: false, parts: {} } },
    ]) {
      test(`${path} reports the state of the process`, options, async () => {
        const response = await fetch((await greeter.addresses).ops + path);
        assert.equal(response.status, status);
        assert.deepEqual(await response.json(), body);
        assert.equal(response.headers.get("cache-control"), "no-store");
        assert.equal(response.headers.get("content-type"), "application/json");
      });
    }

    test("the ops port has no other path, and refuses writes", options, async () => {
      const { ops } = await greeter.addresses;
      assert.equal((await fetch(`${ops}/`)).status, 404);
      const refused = await fetch(`${ops}/metrics`, { method: "POST", body: "x" });
      assert.equal(refused.status, 405);
      assert.equal(refused.headers.get("allow"), "GET, HEAD");
    });

    test("while it drains it is not ready, notifies watchers, and still serves calls", options, async () => {
      using draining = new Greeter(program, { GREETER_RPC_TRANSPORT: transport, GREETER_DRAIN_MS: "1500" });
      const { rpc, ops } = await draining.addresses;
      await using channel = await open(rpc);
      const statuses: number[] = [];
      const watching = (async () => {
        for await (const { status } of createClient(HealthService, channel).watch({ service: "" })) {
          statuses.push(status);
          if (status === servingStatus.SERVING) draining.child.kill("SIGTERM");
          else {
            const ready = await fetch(`${ops}/readyz`);
            assert.equal(ready.status, 503);
            assert.deepEqual(await ready.json(), { status: "NOT_SERVING", draining: true, parts: {} });
            await createClient(GreeterService, channel).sayHello({ name: "Ada" });
          }
        }
      })();
      // After the drain the stream ends with a retryable status, so that its client reconnects.
      await assert.rejects(watching, { code: "unavailable", message: "the server is draining" });
      assert.deepEqual(statuses, [servingStatus.SERVING, servingStatus.NOT_SERVING]);
      assert.deepEqual(await draining.exited, [0, null]);
      assert.equal(await draining.errors, "");
    });

    test("on SIGTERM under load, it answers every call that it accepted", options, async () => {
      using busy = new Greeter(program, { GREETER_RPC_TRANSPORT: transport });
      await using channel = await open((await busy.addresses).rpc);
      const client = createClient(GreeterService, channel);
      const warm = Promise.withResolvers<void>();
      const refusals: unknown[] = [];
      let answered = 0;
      const callers = Array.from({ length: 32 }, async () => {
        for (;;) {
          try {
            await client.sayHello({ name: "Ada" });
            if (++answered === 500) warm.resolve();
          } catch (error) {
            refusals.push(error);
            return;
          }
        }
      });
      await warm.promise;
      busy.child.kill("SIGTERM");
      await Promise.all(callers);
      assert.deepEqual(await busy.exited, [0, null]);
      for (const error of refusals) {
        assert.equal(codeOf(error), "unavailable");
        // No connection was made. One that is reset later would be a lost call.
        assert.match((error as Error).message, /ECONNREFUSED|No connection established|cannot be reached/);
      }
      const accepted = busy.lines.filter((line) => line["method"] === "greeter.v1.Greeter/SayHello");
      assert.equal(accepted.length, answered);
    });

    test("with certificates it requires TLS and a client certificate", options, async () => {
      const folder = await mkdtemp(join(tmpdir(), "greeter-tls-"));
      const put = async (name: string, text: string): Promise<string> => {
        await writeFile(join(folder, name), text);
        return join(folder, name);
      };
      try {
        using secured = new Greeter(program, {
          GREETER_RPC_TLS_CERTIFICATE_FILE: await put("tls.crt", testServer.certificate),
          GREETER_RPC_TLS_KEY_FILE: await put("tls.key", testServer.key),
          GREETER_RPC_TLS_CLIENT_CA_FILE: await put("ca.crt", testCa),
        });
        const target = (await secured.addresses).rpc;
        for (const transport of transportNames) {
          const greet = async (tls: ConnectOptions["tls"]) => {
            await using channel = await connect(target, noTelemetry, { transport, tls, timeoutMs: 5_000 });
            return await createClient(GreeterService, channel).sayHello({ name: "Ada" });
          };
          assert.deepEqual(await greet({ ca: testCa, ...testClient }), { message: "Hello Ada" });
          await assert.rejects(greet({ ca: testCa }), { code: "unavailable", message: /client certificate/ });
          await assert.rejects(greet(undefined), { code: "unavailable" });
        }
        secured.child.kill("SIGTERM");
        assert.deepEqual(await secured.exited, [0, null]);
      } finally {
        await rm(folder, { recursive: true });
      }
    });

    test("with callers it serves those that are named, by their certificates", options, async () => {
      const folder = await mkdtemp(join(tmpdir(), "greeter-callers-"));
      const put = async (name: string, text: string): Promise<string> => {
        await writeFile(join(folder, name), text);
        return join(folder, name);
      };
      const authority = newAuthority("tests");
      const { certificate: ca } = authority;
      const own = authority.issue({ name: "greeter", addresses: ["127.0.0.1"] });
      try {
        using named = new Greeter(program, {
          GREETER_RPC_TRANSPORT: transport,
          GREETER_RPC_TLS_CERTIFICATE_FILE: await put("tls.crt", own.certificate),
          GREETER_RPC_TLS_KEY_FILE: await put("tls.key", own.key),
          GREETER_RPC_TLS_CLIENT_CA_FILE: await put("ca.crt", ca),
          GREETER_RPC_CALLERS: "spiffe://plumbline.test/console,spiffe://plumbline.test/gateway",
        });
        const { rpc, ops } = await named.addresses;
        const open = (request: Omit<CertificateRequest, "name">) =>
          connect(rpc, noTelemetry, {
            transport,
            tls: { ca, ...authority.issue({ name: "caller", ...request }) },
            timeoutMs: 5_000,
          });
        const ids = (...paths: readonly string[]) => paths.map((path) => `spiffe://plumbline.test/${path}`);

        await using gateway = await open({ uris: ids("gateway") });
        assert.deepEqual(await createClient(GreeterService, gateway).sayHello({ name: "Ada" }), {
          message: "Hello Ada",
        });
        const line = await named.line((line) => line["method"] === "greeter.v1.Greeter/SayHello");
        assert.equal(line["caller"], "spiffe://plumbline.test/gateway");

        const refusals: readonly [Omit<CertificateRequest, "name">, string, string][] = [
          [{ uris: ids("worker") }, "permission_denied", "CALLER_NOT_ALLOWED"],
          [{ uris: ids("gateway", "worker") }, "unauthenticated", "CALLER_INVALID"],
          [{ uris: ids("") }, "unauthenticated", "CALLER_INVALID"],
          [{ uris: ["spiffe://other.test/gateway"] }, "unauthenticated", "CALLER_INVALID"],
          [{ uris: ["http://plumbline.test/gateway"] }, "unauthenticated", "CALLER_INVALID"],
          [{ dnsNames: ["spiffe://plumbline.test/gateway"] }, "unauthenticated", "CALLER_INVALID"],
          [{}, "unauthenticated", "CALLER_INVALID"],
        ];
        for (const [request, code, reason] of refusals) {
          await using channel = await open(request);
          const about = JSON.stringify(request);
          const greet = createClient(GreeterService, channel).sayHello({ name: "Ada" });
          await assert.rejects(greet, { code, reason }, about);
          const reflect = channel.bidiStream(
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            (async function* () {
              yield Uint8Array.from([0x3a, 0]);
            })(),
            {},
          );
          await assert.rejects(Array.fromAsync(reflect), { code, reason }, about);
          const { status } = await createClient(HealthService, channel).check({ service: "" });
          assert.equal(status, servingStatus.SERVING, about);
        }
        const metrics = await (await fetch(`${ops}/metrics`)).text();
        const denied = (reason: string, count: number) =>
          new RegExp(
            `^rpc_server_denied_total\\{method="greeter\\.v1\\.Greeter/SayHello",reason="${reason}"\\} ${count}$`,
            "m",
          );
        assert.match(metrics, denied("CALLER_NOT_ALLOWED", 1));
        assert.match(metrics, denied("CALLER_INVALID", 6));
      } finally {
        await rm(folder, { recursive: true });
      }
    });

    test("with invalid settings it lists all of them and exits with 1", options, async () => {
      using wrong = new Greeter(program, {
        GREETER_RPC_TRANSPORT: transport,
        GREETER_RPC_PORT: "high",
        GREETER_NAME: "x",
      });
      assert.deepEqual(await wrong.exited, [1, null]);
      for (const name of ["GREETER_RPC_PORT", "GREETER_NAME"]) assert.match(await wrong.errors, new RegExp(name));
    });

    test("with a port in use it names the port and exits with 1", options, async () => {
      const taken = createServer().listen(0, "127.0.0.1");
      await once(taken, "listening");
      try {
        const { port } = taken.address() as { port: number };
        using late = new Greeter(program, { GREETER_RPC_TRANSPORT: transport, GREETER_RPC_PORT: `${port}` });
        assert.deepEqual(await late.exited, [1, null]);
        assert.match(await late.errors, new RegExp(`127\\.0\\.0\\.1:${port}.*(another process|in use)`));
      } finally {
        taken.close();
      }
    });
  });
}

function series(name: string, method: string, code: string): RegExp {
  const labels = [`code="${code}"`, `method="${method.replaceAll(".", "\\.").replaceAll("/", "\\/")}"`];
  return new RegExp(`^${name}\\{(?=[^}]*${labels[0]})(?=[^}]*${labels[1]})[^}]*\\} [1-9]`, "m");
}
