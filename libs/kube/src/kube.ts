import { type ClientRequest, type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { type Abortable, onAbort } from "@plumbline/concurrency";
import { type Code, ServiceError } from "@plumbline/errors";
import { z } from "zod";
import type { Access, ReadAccess } from "./access.ts";

export interface KubeOptions {
  readonly access: ReadAccess;
  /** The longest request, watches apart; 10 s if not given. */
  readonly timeoutMs?: number | undefined;
  /** The length of one watch request, after which the next one begins; 30 s if not given. */
  readonly watchMs?: number | undefined;
  /** The silence, beyond `watchMs`, after which a watch is cut; 5 s if not given. */
  readonly graceMs?: number | undefined;
  /** The largest answer to a list, and the largest event; 16 MiB if not given. */
  readonly maxBytes?: number | undefined;
}

/** A resource of the API, such as the EndpointSlices of a namespace. */
export interface Resource {
  /** "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices" */
  readonly path: string;
  readonly labelSelector?: string | undefined;
}

/** An object of the API: what this library reads, and all that the server sent. */
export interface KubeObject {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string | undefined;
    readonly uid?: string | undefined;
  };
  readonly [field: string]: unknown;
}

const List = z.object({
  metadata: z.object({ resourceVersion: z.string().default(""), continue: z.string().optional() }),
  items: z.array(z.looseObject({ metadata: z.looseObject({ name: z.string() }) })).nullish(),
});

export interface Listed {
  readonly objects: readonly KubeObject[];
  readonly version: string;
}

/** The most pages of a list, each of 500 objects. */
const maxPages = 100;

/** A client of a Kubernetes API server that lists and watches. It keeps no connections. */
export class Kube {
  readonly #access: ReadAccess;
  readonly #timeoutMs: number;
  readonly #maxBytes: number;
  readonly watchMs: number;
  readonly #graceMs: number;

  constructor(options: KubeOptions) {
    this.#access = options.access;
    this.#timeoutMs = options.timeoutMs ?? 10_000;
    this.#maxBytes = options.maxBytes ?? 16 * 1024 * 1024;
    this.watchMs = options.watchMs ?? 30_000;
    this.#graceMs = options.graceMs ?? 5_000;
  }

  async namespace(): Promise<string> {
    return (await this.#access()).namespace;
  }

  /** Returns all objects and the version of the list. */
  async list(resource: Resource, { signal }: Abortable = {}): Promise<Listed> {
    const objects: KubeObject[] = [];
    let next: string | undefined;
    for (let page = 0; page < maxPages; page++) {
      const query = { limit: "500", ...(next !== undefined && { continue: next }) };
      const body = await this.#text(resource, query, signal);
      const list = List.safeParse(json(body, resource.path));
      if (!list.success) throw new ServiceError("unavailable", `${resource.path}: the answer is no list of objects`);
      objects.push(...((list.data.items ?? []) as readonly KubeObject[]));
      next = list.data.metadata.continue;
      if (next === undefined || next === "") return { objects, version: list.data.metadata.resourceVersion };
    }
    throw new ServiceError("resource_exhausted", `${resource.path} has more than ${maxPages * 500} objects`);
  }

  /**
   * Yields the lines of one watch request, from `version` on. Ends when the server ends it, and
   * rejects when it is silent or cut.
   */
  async *events(resource: Resource, version: string, { signal }: Abortable = {}): AsyncGenerator<string> {
    const query = {
      watch: "true",
      allowWatchBookmarks: "true",
      resourceVersion: version,
      // Replicas that start together do not ask together.
      timeoutSeconds: String(Math.ceil((this.watchMs / 1_000) * (1 - Math.random() / 6))),
    };
    await using opened = await this.#open(resource, query, this.watchMs + this.#graceMs, signal);
    let rest: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of opened.response as AsyncIterable<Buffer>) {
      let from = 0;
      for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, from)) {
        yield Buffer.concat([...rest, chunk.subarray(from, at)]).toString();
        rest = [];
        bytes = 0;
        from = at + 1;
      }
      if (from < chunk.length) rest.push(chunk.subarray(from));
      bytes += chunk.length - from;
      if (bytes > this.#maxBytes) throw tooLarge(resource, this.#maxBytes);
    }
  }

  async #text(resource: Resource, query: Query, signal: AbortSignal | undefined): Promise<string> {
    const deadline = AbortSignal.timeout(this.#timeoutMs);
    const both = signal === undefined ? deadline : AbortSignal.any([signal, deadline]);
    try {
      await using opened = await this.#open(resource, query, this.#timeoutMs, both);
      return await textOf(opened.response, resource, this.#maxBytes);
    } catch (error) {
      signal?.throwIfAborted();
      if (!deadline.aborted) throw error;
      throw new ServiceError("unavailable", `${resource.path}: no answer within ${this.#timeoutMs} ms`, {
        cause: error,
      });
    }
  }

  /** Sends a request and resolves with its response. Rejects with what a refusal means. */
  async #open(resource: Resource, query: Query, silenceMs: number, signal: AbortSignal | undefined): Promise<Opened> {
    signal?.throwIfAborted();
    const access = await this.#access();
    const { labelSelector } = resource;
    const parameters = new URLSearchParams({ ...query, ...(labelSelector !== undefined && { labelSelector }) });
    const address = `${access.url.replace(/\/+$/, "")}${resource.path}`;
    const what = `GET ${address}`;
    const request = send(new URL(`${address}?${parameters}`), access);
    const opened = new Opened(request, signal);
    request.setTimeout(silenceMs, () => {
      request.destroy(new ServiceError("unavailable", `${what}: silent for ${silenceMs} ms`));
    });
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    request.once("response", resolve);
    request.on("error", reject);
    try {
      opened.response = await promise;
      if (opened.response.statusCode === 200) return opened;
      throw await refusal(opened.response, what, resource);
    } catch (error) {
      await opened[Symbol.asyncDispose]();
      signal?.throwIfAborted();
      if (error instanceof ServiceError) throw error;
      const { message } = error as Error;
      throw new ServiceError("unavailable", `${what}: ${message}`, { cause: error });
    }
  }
}

type Query = Readonly<Record<string, string>>;

/** A request with its response. Disposing closes its connection. */
class Opened implements AsyncDisposable {
  response!: IncomingMessage;
  readonly #request: ClientRequest;
  readonly #link: Disposable;

  constructor(request: ClientRequest, signal: AbortSignal | undefined) {
    this.#request = request;
    this.#link = onAbort(signal, () => request.destroy(signal?.reason as Error));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#link[Symbol.dispose]();
    this.#request.destroy();
  }
}

function send(url: URL, access: Access): ClientRequest {
  const headers = {
    accept: "application/json",
    "user-agent": "plumbline",
    ...(access.token !== undefined && { authorization: `Bearer ${access.token}` }),
  };
  const tls = {
    ...(access.ca !== undefined && { ca: access.ca }),
    ...(access.certificate !== undefined && { cert: access.certificate }),
    ...(access.key !== undefined && { key: access.key }),
    ...(access.serverName !== undefined && { servername: access.serverName }),
  };
  // Without an agent each request has its own connection, which ends with it.
  const request =
    url.protocol === "http:"
      ? requestHttp(url, { headers, agent: false })
      : requestHttps(url, { headers, agent: false, ...tls });
  request.end();
  return request;
}

async function textOf(response: IncomingMessage, resource: Resource, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw tooLarge(resource, maxBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function tooLarge({ path }: Resource, maxBytes: number): ServiceError {
  return new ServiceError("resource_exhausted", `${path}: the answer is larger than ${maxBytes} bytes`);
}

/** The reason of errors that ask for another list. */
export const gone = "KUBERNETES_GONE";

const codes: Readonly<Record<number, Code>> = {
  400: "invalid_argument",
  401: "unauthenticated",
  403: "permission_denied",
  404: "not_found",
  410: "unavailable",
};

const Status = z.object({ message: z.string() });

async function refusal(response: IncomingMessage, what: string, resource: Resource): Promise<ServiceError> {
  const { statusCode = 0 } = response;
  const text = await textOf(response, resource, 64 * 1024).catch(() => "");
  const status = Status.safeParse(parsed(text));
  const why = status.success ? status.data.message : `the answer has the status ${statusCode}`;
  const hint = statusCode === 403 ? "; the role needs the verbs list and watch" : "";
  return new ServiceError(codes[statusCode] ?? "unavailable", `${what}: ${why}${hint}`, {
    ...(statusCode === 410 && { reason: gone }),
  });
}

function json(text: string, what: string): unknown {
  const value = parsed(text);
  if (value === undefined) throw new ServiceError("unavailable", `${what}: the answer is no JSON`);
  return value;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
