/** A real Envoy between a client and servers that know each other by their certificates. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { connect as dial, type PeerCertificate } from "node:tls";
import { encodePrincipal, principalName } from "@plumbline/auth";
import { GreeterService } from "@plumbline/contracts";
import { codeOf } from "@plumbline/errors";
import {
  type ClientTls,
  connect,
  createClient,
  serve,
  service,
  type TransportName,
  transportNames,
} from "@plumbline/rpc";
import { noTelemetry } from "@plumbline/telemetry";
import { eventually, freePort, newAuthority, startTestEnvoy, whyNoEnvoy } from "@plumbline/tools-engines";
import { startControlPlane } from "./support.ts";

const skip = whyNoEnvoy() ?? false;
const timeout = 180_000;
const sayHello = `/${GreeterService.fullName}/SayHello`;
const idOf = (name: string) => `spiffe://test.internal/${name}`;
const authority = newAuthority("tests");

function certify(name: string, by = authority) {
  return by.issue({ name, uris: [idOf(name)], addresses: ["127.0.0.1"] });
}

/** A folder with the files of a proxy's certificate, which are replaced as tools for renewal do. */
function certificateFolder(name: string) {
  const path = mkdtempSync(join(tmpdir(), "envoy-tls-"));
  // The user of Envoy's image reads them.
  chmodSync(path, 0o755);
  const put = (file: string, text: string) => {
    writeFileSync(join(path, `${file}.new`), text);
    renameSync(join(path, `${file}.new`), join(path, file));
  };
  const issue = (as: string): void => {
    const { certificate, key } = certify(as);
    put("tls.key", key);
    put("tls.crt", certificate);
  };
  put("ca.crt", authority.certificate);
  issue(name);
  return { path, put, issue, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

/** The sides of a call, as a server saw them. */
interface Seen {
  readonly caller: unknown;
  readonly subject: string | undefined;
}

/** Starts a greeter with the certificate of that name, for callers with these ids. */
async function startGreeter({ name = "greeter", callers = idOf("envoy"), maxConnectionAgeMs = 300_000 } = {}) {
  const seen: Seen[] = [];
  const greeter = service(GreeterService, {
    async sayHello({ name: whom }, { caller, principal }) {
      seen.push({ caller, subject: principal?.subject });
      return { message: `Hello ${whom}` };
    },
  });
  const access = () => new Map([[sayHello, { kind: "scopes", scopes: ["greetings:read"] } as const]]);
  const tls = { ...certify(name), clientCa: authority.certificate };
  const server = await serve(
    { services: [greeter], access, telemetry: noTelemetry },
    { host: "127.0.0.1", port: 0, tls, callers, graceMs: 500, maxConnectionAgeMs },
  );
  return {
    seen,
    endpoint: `127.0.0.1:${server.port}`,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

interface ProxyOptions {
  readonly variant?: "sotw" | "delta";
  /** The rest of the cluster. */
  readonly cluster?: object;
}

/** Starts an Envoy that lets the gateway in, and calls the endpoint as the greeter. */
async function startProxy(endpoint: string, { variant = "delta", cluster }: ProxyOptions = {}) {
  await using opened = new AsyncDisposableStack();
  const folder = opened.use(certificateFolder("envoy"));
  const controlPlane = opened.use(await startControlPlane());
  const port = await freePort();
  const [certificateFile, keyFile, caFile] = ["tls.crt", "tls.key", "ca.crt"].map((file) => join(folder.path, file));
  const document = {
    certificates: { envoy: { certificateFile, keyFile, caFile } },
    listeners: {
      main: { host: "127.0.0.1", port, routes: "main", tls: { certificate: "envoy", callers: [idOf("gateway")] } },
    },
    clusters: {
      greeter: {
        endpoints: [endpoint],
        protocol: "http2",
        healthCheck: { grpc: "", intervalMs: 200 },
        tls: { certificate: "envoy", id: idOf("greeter") },
        ...cluster,
      },
    },
    routes: { main: [{ rules: [{ to: "greeter", retries: { attempts: 0 } }] }] },
  };
  controlPlane.put(document);
  const envoy = opened.use(await startTestEnvoy({ controlPlanePort: controlPlane.port, variant, folder: folder.path }));
  const channels = opened.use(new AsyncDisposableStack());
  /** Returns a call by a client with this certificate. Failures are their codes. */
  const caller = async (tls: Partial<ClientTls>, transport?: TransportName) => {
    const options = {
      transport,
      timeoutMs: 5_000,
      serverIds: `${idOf("envoy")},${idOf("renewed")}`,
      tls: { ca: authority.certificate, ...tls },
    };
    const channel = channels.use(await connect(`127.0.0.1:${port}`, noTelemetry, options));
    const client = createClient(GreeterService, channel);
    const now = Date.now();
    const principal = {
      subject: "ada",
      client: "cli",
      scopes: ["greetings:read"],
      issuedMs: now,
      expiresMs: now + 3_600_000,
    };
    return () =>
      client
        .sayHello({ name: "Ada" }, { metadata: { [principalName]: encodePrincipal(principal) } })
        .then(({ message }) => message, codeOf);
  };
  const owned = opened.move();
  return { port, folder, envoy, caller, controlPlane, document, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Returns the certificate that Envoy shows to a new connection of the gateway. */
async function shownAt(port: number): Promise<PeerCertificate> {
  const { certificate: cert, key } = certify("gateway");
  const ca = authority.certificate;
  const socket = dial({ host: "127.0.0.1", port, ca, cert, key, ALPNProtocols: ["h2"] });
  await once(socket, "secureConnect");
  const shown = socket.getPeerCertificate();
  socket.destroy();
  return shown;
}

const isGreeting = (answer: unknown) => answer === "Hello Ada";

describe("Envoy with certificates", { skip }, () => {
  for (const variant of ["sotw", "delta"] as const) {
    test(`passes the calls of a named caller on over ${variant} ADS, in its own name, with their principal`, {
      timeout,
    }, async () => {
      await using greeter = await startGreeter();
      await using proxy = await startProxy(greeter.endpoint, { variant });
      for (const transport of transportNames) {
        const call = await proxy.caller(certify("gateway"), transport);
        await eventually(call, isGreeting);
      }
      for (const one of greeter.seen) assert.deepEqual(one, { caller: idOf("envoy"), subject: "ada" });
      assert.equal(await proxy.envoy.stat("cluster.greeter.health_check.failure"), 0);
      assert.equal(await proxy.envoy.stat("listener_manager.lds.update_rejected"), 0);
    });
  }

  for (const { name, shown, stat } of [
    { name: "no certificate", shown: {}, stat: "fail_verify_no_cert" },
    { name: "another service's certificate", shown: certify("worker"), stat: "fail_verify_san" },
    {
      name: "a certificate of another authority",
      shown: certify("gateway", newAuthority("other")),
      stat: "fail_verify_error",
    },
  ]) {
    test(`refuses a client that shows ${name}`, { timeout }, async () => {
      await using greeter = await startGreeter();
      await using proxy = await startProxy(greeter.endpoint);
      await eventually(await proxy.caller(certify("gateway")), isGreeting);
      greeter.seen.length = 0;
      for (const transport of transportNames) {
        const call = await proxy.caller(shown, transport);
        assert.equal(await call(), "unavailable", transport);
      }
      assert.ok((await proxy.envoy.stat(`listener.127.0.0.1_${proxy.port}.ssl.${stat}`)) >= transportNames.length);
      assert.deepEqual(greeter.seen, []);
    });
  }

  test("calls no server with the certificate of another service", {
    timeout,
  }, async () => {
    await using impostor = await startGreeter({ name: "worker" });
    await using proxy = await startProxy(impostor.endpoint, { cluster: { healthCheck: undefined } });
    const call = await proxy.caller(certify("gateway"));
    const refused = "cluster.greeter.ssl.fail_verify_san";
    await eventually(
      async () => [await call(), (await proxy.envoy.stat(refused)) > 0],
      ([code, counted]) => code === "unavailable" && counted === true,
    );
    assert.deepEqual(impostor.seen, []);
  });

  test("is refused by a server that does not name it", { timeout }, async () => {
    await using greeter = await startGreeter({ callers: idOf("gateway") });
    await using proxy = await startProxy(greeter.endpoint);
    const call = await proxy.caller(certify("gateway"));
    await eventually(call, (code) => code === "permission_denied");
    assert.deepEqual(greeter.seen, []);
  });

  test("shows a renewed certificate on both sides without a restart, and fails no call", { timeout }, async () => {
    const callers = `${idOf("envoy")},${idOf("renewed")}`;
    // Connections end soon, and the next ones have the renewed certificate.
    await using greeter = await startGreeter({ callers, maxConnectionAgeMs: 300 });
    await using proxy = await startProxy(greeter.endpoint);
    const call = await proxy.caller(certify("gateway"));
    await eventually(call, isGreeting);
    assert.match(String((await shownAt(proxy.port)).subjectaltname), /envoy/);
    // Another id, so that the server can tell.
    proxy.folder.issue("renewed");
    const answers: unknown[] = [];
    await eventually(
      async () => {
        answers.push(await call());
        return greeter.seen.at(-1)?.caller;
      },
      (caller) => caller === idOf("renewed"),
      60_000,
    );
    await eventually(
      async () => String((await shownAt(proxy.port)).subjectaltname),
      (names) => names.includes("renewed"),
    );
    assert.deepEqual(new Set(answers), new Set(["Hello Ada"]));
  });

  test("keeps its certificate while the files do not fit together, and takes the next that do", {
    timeout,
  }, async () => {
    await using greeter = await startGreeter();
    await using proxy = await startProxy(greeter.endpoint);
    const call = await proxy.caller(certify("gateway"));
    await eventually(call, isGreeting);
    const before = (await shownAt(proxy.port)).serialNumber;
    proxy.folder.put("tls.key", certify("envoy").key);
    const failed = "sds.envoy/certificate.key_rotation_failed";
    await eventually(
      () => proxy.envoy.stat(failed),
      (count) => count > 0,
    );
    assert.equal((await shownAt(proxy.port)).serialNumber, before);
    assert.equal(await call(), "Hello Ada");
    proxy.folder.issue("envoy");
    await eventually(
      async () => (await shownAt(proxy.port)).serialNumber,
      (serial) => serial !== before,
    );
  });

  test("checks the health on a port of its own without TLS", { timeout }, async () => {
    let status = 503;
    const asked: (string | undefined)[] = [];
    const probes = createServer((request, response) => {
      asked.push(request.url);
      response.writeHead(status).end();
    }).listen(0, "127.0.0.1");
    await once(probes, "listening");
    try {
      const { port } = probes.address() as AddressInfo;
      await using greeter = await startGreeter();
      const healthCheck = { http: "/readyz", port, intervalMs: 100 };
      await using proxy = await startProxy(greeter.endpoint, { cluster: { healthCheck, panicPercent: 0 } });
      const call = await proxy.caller(certify("gateway"));
      await eventually(
        async () => [await call(), asked.length > 0],
        ([code, isAsked]) => code === "unavailable" && isAsked === true,
      );
      assert.deepEqual(new Set(asked), new Set(["/readyz"]));
      assert.deepEqual(greeter.seen, []);
      status = 200;
      await eventually(call, isGreeting);
    } finally {
      probes.close();
      probes.closeAllConnections();
    }
  });
});
