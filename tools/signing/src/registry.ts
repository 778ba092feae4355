/**
 * A registry of images in memory, for `npm run signing -- prove`: the part of the OCI distribution
 * specification that cosign uses, without users. It listens on loopback.
 */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

interface Manifest {
  readonly type: string;
  readonly bytes: Buffer;
}

const indexType = "application/vnd.oci.image.index.v1+json";

/** The most bytes of one blob or manifest. */
const largest = 16 * 2 ** 20;

export class MemoryRegistry implements AsyncDisposable {
  readonly blobs = new Map<string, Buffer>();
  /** By repository and tag or digest. */
  readonly manifests = new Map<string, Manifest>();
  readonly #uploads = new Map<string, Buffer>();
  readonly #server = createServer((request, response) => {
    this.#answer(request, response).catch(() => response.writeHead(500).end());
  });

  /** Listens, and returns the host and port. */
  async start(): Promise<string> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return `localhost:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, "close");
  }

  /** Puts an image of one file in, and returns its digest. */
  push(repository: string, content: string): string {
    const layer = Buffer.from(content);
    const config = Buffer.from(
      JSON.stringify({ architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [digestOf(layer)] } }),
    );
    for (const blob of [layer, config]) this.blobs.set(digestOf(blob), blob);
    const described = (mediaType: string, blob: Buffer) => ({ mediaType, digest: digestOf(blob), size: blob.length });
    const type = "application/vnd.oci.image.manifest.v1+json";
    const bytes = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: type,
        config: described("application/vnd.oci.image.config.v1+json", config),
        layers: [described("application/vnd.oci.image.layer.v1.tar", layer)],
      }),
    );
    this.manifests.set(`${repository}@${digestOf(bytes)}`, { type, bytes });
    return digestOf(bytes);
  }

  /** Attaches what hangs on one image to another one, after a change of each bundle. */
  attach(image: string, other: string, change: (bundle: string) => string): void {
    const [repository, digest] = partsOf(image);
    const [to, subject] = partsOf(other);
    for (const { digest: one } of this.#referrersOf(repository, digest)) {
      const manifest = this.manifests.get(`${repository}@${one}`);
      if (manifest === undefined) continue;
      const read = JSON.parse(manifest.bytes.toString()) as {
        readonly layers: readonly { readonly digest: string }[];
        readonly subject: object;
      };
      const layers = read.layers.map((layer) => {
        const blob = Buffer.from(change(this.blobs.get(layer.digest)?.toString() ?? ""));
        this.blobs.set(digestOf(blob), blob);
        return { ...layer, digest: digestOf(blob), size: blob.length };
      });
      const size = this.manifests.get(`${to}@${subject}`)?.bytes.length;
      const bytes = Buffer.from(
        JSON.stringify({ ...read, layers, subject: { ...read.subject, digest: subject, size } }),
      );
      this.manifests.set(`${to}@${digestOf(bytes)}`, { type: manifest.type, bytes });
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://localhost");
    const [, repository = "", kind = "", reference = ""] =
      /^\/v2\/(.+?)\/(blobs\/uploads|blobs|manifests|referrers)\/?([^/]*)$/.exec(url.pathname) ?? [];
    const send = (status: number, headers: Readonly<Record<string, string>> = {}, body: Buffer = Buffer.alloc(0)) => {
      response.writeHead(status, { "content-length": String(body.length), ...headers });
      response.end(request.method === "HEAD" ? undefined : body);
    };
    const body = ["POST", "PUT", "PATCH"].includes(request.method ?? "") ? await readAll(request) : Buffer.alloc(0);
    const key = `${repository}${reference.startsWith("sha256:") ? "@" : ":"}${reference}`;

    if (url.pathname === "/v2/") return send(200);
    if (kind === "blobs/uploads")
      return this.#upload(request.method, repository, reference || nextId(), body, url, send);
    if (kind === "blobs") {
      const blob = this.blobs.get(reference);
      return blob === undefined ? send(404) : send(200, { "docker-content-digest": reference }, blob);
    }
    if (kind === "manifests" && request.method === "PUT") {
      const manifest = { type: request.headers["content-type"] ?? "", bytes: body };
      this.manifests.set(key, manifest).set(`${repository}@${digestOf(body)}`, manifest);
      return send(201, { "docker-content-digest": digestOf(body), location: url.pathname });
    }
    if (kind === "manifests") {
      const found = this.manifests.get(key);
      if (found === undefined) return send(404);
      return send(200, { "content-type": found.type, "docker-content-digest": digestOf(found.bytes) }, found.bytes);
    }
    if (kind === "referrers") return send(200, { "content-type": indexType }, this.#referrers(repository, reference));
    send(404);
  }

  #upload(
    method: string | undefined,
    repository: string,
    id: string,
    body: Buffer,
    url: URL,
    send: (status: number, headers?: Readonly<Record<string, string>>) => void,
  ): void {
    const bytes = Buffer.concat([this.#uploads.get(id) ?? Buffer.alloc(0), body]);
    const digest = url.searchParams.get("digest");
    if (digest === null) {
      this.#uploads.set(id, bytes);
      const range = `0-${Math.max(0, bytes.length - 1)}`;
      return send(202, { location: `/v2/${repository}/blobs/uploads/${id}`, range });
    }
    this.#uploads.delete(id);
    if (digestOf(bytes) !== digest) return send(400);
    this.blobs.set(digest, bytes);
    send(method === "GET" ? 405 : 201, {
      location: `/v2/${repository}/blobs/${digest}`,
      "docker-content-digest": digest,
    });
  }

  /** Returns the index of the manifests that name one as their subject. */
  #referrers(repository: string, digest: string): Buffer {
    const manifests = this.#referrersOf(repository, digest);
    return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests }));
  }

  #referrersOf(repository: string, digest: string) {
    return [...this.manifests]
      .filter(([key]) => key.startsWith(`${repository}@`))
      .flatMap(([, { type, bytes }]) => {
        const { subject, artifactType, annotations } = JSON.parse(bytes.toString()) as {
          readonly subject?: { readonly digest: string };
          readonly artifactType?: string;
          readonly annotations?: object;
        };
        if (subject?.digest !== digest) return [];
        return [{ mediaType: type, digest: digestOf(bytes), size: bytes.length, artifactType, annotations }];
      });
  }
}

function partsOf(image: string): readonly [repository: string, digest: string] {
  const [, repository = "", digest = ""] = /^[^/]+\/(.+)@(sha256:.+)$/.exec(image) ?? [];
  return [repository, digest];
}

let uploads = 0;
function nextId(): string {
  uploads += 1;
  return String(uploads);
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > largest) throw new Error(`more than ${largest} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
