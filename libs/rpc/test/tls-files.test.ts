import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { connect as dialTls } from "node:tls";
import { ConfigError } from "@plumbline/config";
import { type Logger, noTelemetry } from "@plumbline/telemetry";
import { type Authority, type CertificateRequest, type Certified, newAuthority } from "@plumbline/tools-engines";
import { ca, caller, nextServer, otherCa, server } from "../src/conformance/certificates.ts";
import { Conformance, echo } from "../src/conformance/test-context.ts";
import {
  connect,
  createClient,
  type RpcServer,
  type ServeOptions,
  serve,
  service,
  transportNames,
} from "../src/index.ts";
import { type CertificateFiles, followClientTls, followServerTls } from "../src/settings.ts";
import type { ClientTls, ServerTls } from "../src/tls/options.ts";

const timeout = 20_000;

class Folder implements AsyncDisposable {
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
  }

  static async open(): Promise<Folder> {
    return new Folder(await mkdtemp(join(tmpdir(), "tls-files-")));
  }

  path(name: string): string {
    return join(this.#path, name);
  }

  /** Writes a file as tools that renew certificates do: beside, then by renaming. */
  async put(name: string, text: string): Promise<string> {
    await writeFile(`${this.path(name)}.new`, text);
    await rename(`${this.path(name)}.new`, this.path(name));
    return this.path(name);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return rm(this.#path, { recursive: true });
  }
}

function remembering(): { readonly logger: Logger; readonly lines: string[] } {
  const lines: string[] = [];
  const remember = (message: string, fields: object = {}): unknown =>
    lines.push(`${message} ${JSON.stringify(fields)}`);
  const logger = { ...noTelemetry.logger, info: remember, warn: remember } as unknown as Logger;
  return { logger, lines };
}

async function until(done: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + timeout;
  while (!(await done())) {
    assert.ok(performance.now() < end, "it does not happen");
    await sleep(20);
  }
}

async function shown(port: number): Promise<unknown> {
  const socket = dialTls({ host: "127.0.0.1", port, ca, ALPNProtocols: ["h2"] });
  await once(socket, "secureConnect");
  const { CN } = socket.getPeerCertificate().subject;
  socket.destroy();
  return CN;
}

test("a server shows the certificate in its files, whatever their order of change", { timeout }, async () => {
  await using folder = await Folder.open();
  const certificateFile = await folder.put("tls.crt", server.certificate);
  const keyFile = await folder.put("tls.key", server.key);
  const { logger, lines } = remembering();
  await using files = await followServerTls({ certificateFile, keyFile }, logger);
  const options = { host: "127.0.0.1", port: 0, tls: files?.current };
  await using running = await serve({ services: [], telemetry: noTelemetry }, options);
  assert.equal(await shown(running.port), "server");

  await folder.put("tls.crt", nextServer.certificate);
  await until(() => lines.some((line) => line.startsWith("changed certificates are invalid")));
  assert.equal(await shown(running.port), "server", "half of a pair changes nothing");
  await folder.put("tls.key", nextServer.key);
  await until(async () => (await shown(running.port)) === "nextServer");
  assert.match(lines[0] ?? "", /^certificate loaded .*CN=server.*validTo/);
  assert.match(lines.at(-1) ?? "", /^certificate loaded .*CN=nextServer/);
  assert.ok(lines.every((line) => !line.includes("PRIVATE KEY")));
});

test("invalid files are named at the start, with the expected content", { timeout }, async () => {
  await using folder = await Folder.open();
  const certificateFile = await folder.put("tls.crt", server.certificate);
  const keyFile = await folder.put("tls.key", nextServer.key);
  const { logger } = remembering();
  const wrong = async (files: Promise<unknown>, ...messages: readonly RegExp[]): Promise<void> => {
    await assert.rejects(files, (error: Error) => {
      assert.ok(error instanceof ConfigError, String(error));
      for (const message of messages) assert.match(error.message, message);
      assert.ok(!error.message.includes("PRIVATE KEY"));
      return true;
    });
  };
  await wrong(followServerTls({ certificateFile, keyFile }, logger), /key \(.*tls\.key\).*does not belong to/);
  const missing = folder.path("none.crt");
  await wrong(followServerTls({ certificateFile: missing, keyFile }, logger), /certificate \(.*none\.crt\).*ENOENT/);
  await wrong(followClientTls({ caFile: keyFile }, logger), /ca \(.*tls\.key\).*certificates in PEM/);
});

test("a client reloads its files too, and without files there is nothing to reload", { timeout }, async () => {
  await using folder = await Folder.open();
  const caFile = await folder.put("ca.crt", otherCa);
  const certificateFile = await folder.put("tls.crt", caller.certificate);
  const keyFile = await folder.put("tls.key", caller.key);
  const { logger } = remembering();
  await using files = await followClientTls({ caFile, certificateFile, keyFile }, logger);
  assert.equal(files?.current().ca, otherCa);
  await folder.put("ca.crt", ca);
  await until(() => files?.current().ca === ca);
  assert.equal(await followClientTls(undefined, logger), undefined);
  assert.equal(await followServerTls(undefined, logger), undefined);
});

const host = "127.0.0.1";
const dayMs = 86_400_000;
const gatewayId = "spiffe://plumbline.test/gateway";

/** Writes two pairs that the first of the authorities issues, and all of them as trusted. */
async function certify(folder: Folder, issuer: Authority, ...others: readonly Authority[]) {
  const trusted = [issuer, ...others].map(({ certificate }) => certificate).join("");
  const caFile = await folder.put("ca.crt", trusted);
  const pair = async (request: CertificateRequest) => {
    const { certificate, key } = issuer.issue(request);
    const keyFile = await folder.put(`${request.name}.key`, key);
    return { certificate, files: { keyFile, certificateFile: await folder.put(`${request.name}.crt`, certificate) } };
  };
  const own = await pair({ name: "server", addresses: [host] });
  const gateway = await pair({ name: "client", uris: [gatewayId] });
  return {
    trusted,
    server: own.certificate,
    client: gateway.certificate,
    files: { server: { ...own.files, clientCaFile: caFile }, client: { ...gateway.files, caFile } },
  };
}

const handlers = { ...echo, unary: async (_: string, call: { caller: string | undefined }) => `${call.caller}` };
const access = new Map(
  Object.values(Conformance.methods).map(
    ({ name }) => [`/${Conformance.fullName}/${name}`, { kind: "internal" }] as const,
  ),
);

function open(options: Pick<ServeOptions, "tls" | "transport">, reasons: string[] = []): Promise<RpcServer> {
  const metrics = {
    ...noTelemetry.metrics,
    counter: (name: string) => ({
      inc: (labels?: object) => {
        if (name === "rpc_server_tls_failures_total") reasons.push((labels as { reason: string }).reason);
      },
    }),
  };
  return serve(
    { services: [service(Conformance, handlers)], telemetry: { ...noTelemetry, metrics }, access: () => access },
    { host, port: 0, graceMs: 1_000, callers: gatewayId, ...options },
  );
}

for (const transport of transportNames) {
  void describe(`certificates over ${transport}`, { timeout }, () => {
    void test("those that TLS refuses make no call, and are counted (negative 52)", async () => {
      const authority = newAuthority("tests");
      const { certificate: ca } = authority;
      const reasons: string[] = [];
      const own = authority.issue({ name: "server", addresses: [host] });
      await using running = await open({ transport, tls: { ...own, clientCa: ca } }, reasons);
      const uris = [gatewayId];
      const now = Date.now();
      const good = authority.issue({ name: "gateway", uris });
      const refused: readonly [string, Certified | undefined][] = [
        ["none", undefined],
        ["of another authority", newAuthority("tests").issue({ name: "gateway", uris })],
        [
          "expired",
          authority.issue({ name: "gateway", uris, from: new Date(now - 2 * dayMs), to: new Date(now - dayMs) }),
        ],
        ["not yet valid", authority.issue({ name: "gateway", uris, from: new Date(now + dayMs) })],
        ["of an authority", authority.issue({ name: "gateway", uris, isAuthority: true })],
        ["for servers", authority.issue({ name: "gateway", uris, usages: ["server"] })],
      ];
      const counted = () => reasons.filter((reason) => reason === "certificate").length;
      for (const [what, certified] of refused) {
        const before = counted();
        await using channel = await connect(`${host}:${running.port}`, noTelemetry, {
          transport,
          tls: { ca, ...certified },
        });
        await assert.rejects(createClient(Conformance, channel).unary(""), { code: "unavailable" }, what);
        await until(() => counted() > before);
      }
      await using channel = await connect(`${host}:${running.port}`, noTelemetry, { transport, tls: { ca, ...good } });
      assert.equal(await createClient(Conformance, channel).unary(""), gatewayId);
    });

    void test("files that are renewed under load, authority included, fail no call (negative 57)", async () => {
      await using folder = await Folder.open();
      const [first, next] = [newAuthority("first"), newAuthority("next")];
      const { files } = await certify(folder, first);
      await using served = (await followServerTls(files.server, noTelemetry.logger)) as CertificateFiles<ServerTls>;
      await using shown = (await followClientTls(files.client, noTelemetry.logger)) as CertificateFiles<ClientTls>;
      await using running = await open({ transport, tls: served.current });
      const target = `${host}:${running.port}`;
      await using channel = await connect(target, noTelemetry, { transport, tls: shown.current, timeoutMs: 20_000 });
      const client = createClient(Conformance, channel);
      // One stream lives through all renewals, as a watch does.
      const { promise: renewed, resolve: over } = Promise.withResolvers<void>();
      async function* requests(): AsyncGenerator<string> {
        yield "before";
        await renewed;
        yield "after";
      }
      const echoed = Array.fromAsync(client.bidiStream(requests()));
      let calls = 0;
      const stop = new AbortController();
      const callers = Array.from({ length: 4 }, async () => {
        for (; !stop.signal.aborted; calls++) assert.equal(await client.unary(""), gatewayId);
      });
      const more = async () => {
        const wanted = calls + 200;
        await Promise.race([until(() => calls >= wanted), Promise.all(callers)]);
      };
      try {
        await more();
        // Both are trusted before the next one issues, and the first until it issues no more.
        for (const [issuer, other] of [
          [first, next],
          [next, first],
          [next, undefined],
        ] as const) {
          const issued = await certify(folder, issuer, ...(other === undefined ? [] : [other]));
          await until(
            () => served.current().certificate === issued.server && served.current().clientCa === issued.trusted,
          );
          await until(() => shown.current().certificate === issued.client && shown.current().ca === issued.trusted);
          running.recycle();
          await more();
        }
      } finally {
        over();
        stop.abort();
      }
      await Promise.all(callers);
      assert.deepEqual(await echoed, ["before", "after"]);
      // New connections are of the next authority alone.
      const old = {
        ca: next.certificate,
        ...first.issue({ name: "client", uris: [gatewayId] }),
      };
      await using stale = await connect(target, noTelemetry, { transport, tls: old });
      await assert.rejects(createClient(Conformance, stale).unary(""), { code: "unavailable" });
    });
  });
}
