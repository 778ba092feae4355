import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { connect as dialTls } from "node:tls";
import { ConfigError } from "@plumbline/config";
import { type Logger, noTelemetry } from "@plumbline/telemetry";
import { ca, caller, nextServer, otherCa, server } from "../src/conformance/certificates.ts";
import { Conformance, echo } from "../src/conformance/test-context.ts";
import { connect, createClient, serve, service, transportNames } from "../src/index.ts";
import { followClientTls, followServerTls } from "../src/settings.ts";

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

for (const transport of transportNames) {
  test(`certificates that are renewed under load fail no call over ${transport} (negative 57)`, {
    timeout: 120_000,
  }, async () => {
    await using folder = await Folder.open();
    const { logger, lines } = remembering();
    const put = async (name: string, pair: { readonly certificate: string; readonly key: string }) => ({
      certificateFile: await folder.put(`${name}.crt`, pair.certificate),
      keyFile: await folder.put(`${name}.key`, pair.key),
    });
    const caFile = await folder.put("ca.crt", ca);
    await using servers = await followServerTls({ ...(await put("server", server)), clientCaFile: caFile }, logger);
    await using clients = await followClientTls({ ...(await put("client", caller)), caFile }, logger);
    await using running = await serve(
      { services: [service(Conformance, echo)], telemetry: noTelemetry },
      { host: "127.0.0.1", port: 0, transport, tls: servers?.current, graceMs: 1_000 },
    );
    const open = () =>
      connect(`127.0.0.1:${running.port}`, noTelemetry, { transport, tls: clients?.current, timeoutMs: 30_000 });
    await using kept = await open();
    const client = createClient(Conformance, kept);
    const { promise: renewed, resolve: over } = Promise.withResolvers<void>();
    // One stream lives through all renewals, as a watch does.
    const stream = client.bidiStream(
      (async function* () {
        yield "before";
        await renewed;
        yield "after";
      })(),
    );
    const echoed = Array.fromAsync(stream);
    const stop = new AbortController();
    let calls = 0;
    const callers = Array.from({ length: 4 }, async (_, name) => {
      for (; !stop.signal.aborted; calls++) assert.equal(await client.unary(`${name}`), `${name}`);
    });
    for (let renewal = 1; renewal <= 6; renewal++) {
      const seen = lines.length;
      await put("server", renewal % 2 === 0 ? server : nextServer);
      await put("client", caller);
      await folder.put("ca.crt", renewal % 2 === 0 ? ca : `${ca}${otherCa}`);
      const name = renewal % 2 === 0 ? "server" : "nextServer";
      const isLoaded = (line: string) => line.startsWith("certificate loaded") && line.includes(`CN=${name}`);
      await until(() => lines.slice(seen).some(isLoaded));
      assert.equal(await shown(running.port), name);
      const before = calls;
      // A connection that begins now has the new certificates, and the old one serves on.
      await using fresh = await open();
      assert.equal(await createClient(Conformance, fresh).unary("new"), "new");
      await until(() => calls > before);
    }
    over();
    stop.abort();
    await Promise.all(callers);
    assert.deepEqual(await echoed, ["before", "after"]);
  });
}
