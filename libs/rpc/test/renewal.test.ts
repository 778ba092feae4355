/** Certificates in files, as services have them: refused ones, and those that are renewed. */
import assert from "node:assert/strict";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { noTelemetry } from "@plumbline/telemetry";
import { type Authority, type CertificateRequest, type Certified, newAuthority } from "@plumbline/tools-engines";
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

const timeout = 60_000;
const host = "127.0.0.1";
const dayMs = 86_400_000;

/** A folder with the files of a server and a client, which are replaced as tools do. */
class Folder implements AsyncDisposable {
  readonly #path: string;
  /** The last certificates, by their names, and the text of `ca.crt`. */
  issued: { trusted?: string; server?: string; client?: string } = {};

  private constructor(path: string) {
    this.#path = path;
  }

  static async open(): Promise<Folder> {
    return new Folder(await mkdtemp(join(tmpdir(), "renewal-")));
  }

  async put(name: string, text: string): Promise<string> {
    const path = join(this.#path, name);
    await writeFile(`${path}.new`, text);
    await rename(`${path}.new`, path);
    return path;
  }

  /** Writes the two pairs that the first of the authorities issues, and all of them as trusted. */
  async certify(issuer: Authority, ...others: readonly Authority[]) {
    const both = [issuer, ...others].map(({ certificate }) => certificate).join("");
    const caFile = await this.put("ca.crt", both);
    const pair = async (request: CertificateRequest) => {
      const { certificate, key } = issuer.issue(request);
      this.issued[request.name as "server"] = certificate;
      return {
        keyFile: await this.put(`${request.name}.key`, key),
        certificateFile: await this.put(`${request.name}.crt`, certificate),
      };
    };
    this.issued = { trusted: both };
    return {
      server: { ...(await pair({ name: "server", addresses: [host] })), clientCaFile: caFile },
      client: { ...(await pair({ name: "client", uris: ["spiffe://plumbline.test/gateway"] })), caFile },
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return rm(this.#path, { recursive: true });
  }
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
    { host, port: 0, graceMs: 1_000, callers: "spiffe://plumbline.test/gateway", ...options },
  );
}

async function until(done: () => boolean): Promise<void> {
  const end = performance.now() + timeout;
  while (!done()) {
    assert.ok(performance.now() < end, "it does not happen");
    await sleep(10);
  }
}

for (const transport of transportNames) {
  void describe(`certificates over ${transport}`, { timeout }, () => {
    void test("those that TLS refuses make no call, and are counted (negative 52)", async () => {
      const authority = newAuthority("tests");
      const { certificate: ca } = authority;
      const reasons: string[] = [];
      const own = authority.issue({ name: "server", addresses: [host] });
      await using running = await open({ transport, tls: { ...own, clientCa: ca } }, reasons);
      const uris = ["spiffe://plumbline.test/gateway"];
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
      assert.equal(await createClient(Conformance, channel).unary(""), uris[0]);
    });

    void test("files that are renewed under load, authority included, fail no call (negative 57)", async () => {
      await using folder = await Folder.open();
      const [first, next] = [newAuthority("first"), newAuthority("next")];
      const files = await folder.certify(first);
      await using served = (await followServerTls(files.server, noTelemetry.logger)) as CertificateFiles<ServerTls>;
      await using shown = (await followClientTls(files.client, noTelemetry.logger)) as CertificateFiles<ClientTls>;
      await using running = await open({ transport, tls: served.current });
      const target = `${host}:${running.port}`;
      await using channel = await connect(target, noTelemetry, { transport, tls: shown.current, timeoutMs: 20_000 });
      const client = createClient(Conformance, channel);
      let calls = 0;
      const stop = new AbortController();
      const callers = Array.from({ length: 4 }, async () => {
        for (; !stop.signal.aborted; calls++) assert.equal(await client.unary(""), "spiffe://plumbline.test/gateway");
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
          await folder.certify(issuer, ...(other === undefined ? [] : [other]));
          const { server, client: own, trusted } = folder.issued;
          await until(() => served.current().certificate === server && served.current().clientCa === trusted);
          await until(() => shown.current().certificate === own && shown.current().ca === trusted);
          running.recycle();
          await more();
        }
      } finally {
        stop.abort();
      }
      await Promise.all(callers);
      // New connections are of the next authority alone.
      const old = {
        ca: next.certificate,
        ...first.issue({ name: "client", uris: ["spiffe://plumbline.test/gateway"] }),
      };
      await using stale = await connect(target, noTelemetry, { transport, tls: old });
      await assert.rejects(createClient(Conformance, stale).unary(""), { code: "unavailable" });
    });
  });
}
