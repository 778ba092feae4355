import { type ClientRequest, type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { TLSSocket } from "node:tls";
import { type Abortable, onAbort } from "@plumbline/concurrency";
import { type Code, isServiceError, ServiceError } from "@plumbline/errors";
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
  /** "metadata.name=tls": a role that names its resources allows lists and watches of one name. */
  readonly fieldSelector?: string | undefined;
  /** Asks lists and watches for the metadata alone. The content of a Secret is not sent then. */
  readonly isMetadataOnly?: boolean | undefined;
}

/** The fields of server-side apply that a caller owns. */
export interface ApplyOptions extends Abortable {
  /** The name under which the server remembers which fields this caller has set. */
  readonly manager: string;
  /** Takes fields over that another manager has set. Without it that is a conflict, `aborted`. */
  readonly force?: boolean | undefined;
}

export interface DeleteOptions extends Abortable {
  /** Deletes only the object with this uid, and not one of the same name that came after it. */
  readonly uid?: string | undefined;
}

/** Returns the resource of a group and version: resourceOf("apps/v1", "deployments", "shop"). */
export function resourceOf(apiVersion: string, plural: string, namespace?: string): Resource {
  const group = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  return { path: `${group}${namespace === undefined ? "" : `/namespaces/${namespace}`}/${plural}` };
}

/** An object of the API: what this library reads, and all that the server sent. */
export interface KubeObject {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string | undefined;
    readonly uid?: string | undefined;
    readonly resourceVersion?: string | undefined;
    readonly generation?: number | undefined;
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

/** A client of a Kubernetes API server. It keeps no connections, and repeats no request. */
export class Kube {
  readonly #access: ReadAccess;
  readonly #timeoutMs: number;
  readonly #maxBytes: number;
  readonly watchMs: number;
  readonly #graceMs: number;
  readonly #options: KubeOptions;
  #beforeWrite: (() => void) | undefined;

  constructor(options: KubeOptions) {
    this.#options = options;
    this.#access = options.access;
    this.#timeoutMs = options.timeoutMs ?? 10_000;
    this.#maxBytes = options.maxBytes ?? 16 * 1024 * 1024;
    this.watchMs = options.watchMs ?? 30_000;
    this.#graceMs = options.graceMs ?? 5_000;
  }

  /**
   * Returns a client whose writes are checked. `check` is called right before the bytes of a write
   * are sent, on an open connection. If it throws, nothing is sent and the write rejects with its
   * error.
   */
  guarded(check: () => void): Kube {
    const kube = new Kube(this.#options);
    kube.#beforeWrite = check;
    return kube;
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
      const body = await this.#text({ resource, query }, signal);
      const list = List.safeParse(json(body, resource.path));
      if (!list.success) throw new ServiceError("unavailable", `${resource.path}: the answer is no list of objects`);
      objects.push(...((list.data.items ?? []) as readonly KubeObject[]));
      next = list.data.metadata.continue;
      if (next === undefined || next === "") return { objects, version: list.data.metadata.resourceVersion };
    }
    throw new ServiceError("resource_exhausted", `${resource.path} has more than ${maxPages * 500} objects`);
  }

  /** Returns an object. Rejects with `not_found` if there is none. */
  async get(resource: Resource, name: string, { signal }: Abortable = {}): Promise<KubeObject> {
    return await this.#object({ resource, name }, signal);
  }

  /**
   * Makes an object have the given fields, by server-side apply, and creates it if need be. Fields
   * that this manager gave before and gives no more are removed. Fields of other managers stay. An
   * apply that changes nothing leaves the version of the object as it is.
   */
  async apply(resource: Resource, object: KubeObject, options: ApplyOptions): Promise<KubeObject> {
    return await this.#apply({ resource, name: object.metadata.name }, object, options);
  }

  /** Does the same for the status of an object that exists. */
  async applyStatus(resource: Resource, object: KubeObject, options: ApplyOptions): Promise<KubeObject> {
    return await this.#apply({ resource, name: object.metadata.name, part: "status" }, object, options);
  }

  /** Creates an object. Rejects with `already_exists`. */
  async create(resource: Resource, object: object, { signal }: Abortable = {}): Promise<KubeObject> {
    return await this.#object({ method: "POST", resource, body: object }, signal);
  }

  /** Replaces an object. Rejects with `aborted` if its `resourceVersion` is not the present one. */
  async replace(resource: Resource, object: KubeObject, { signal }: Abortable = {}): Promise<KubeObject> {
    return await this.#object({ method: "PUT", resource, name: object.metadata.name, body: object }, signal);
  }

  /** Deletes an object, and in the background what it owns. Resolves also if there is none. */
  async delete(resource: Resource, name: string, { signal, uid }: DeleteOptions = {}): Promise<void> {
    const body = { propagationPolicy: "Background", ...(uid !== undefined && { preconditions: { uid } }) };
    try {
      await this.#text({ method: "DELETE", resource, name, body }, signal);
    } catch (error) {
      if (!isServiceError(error) || error.code !== "not_found") throw error;
    }
  }

  async #apply(call: Call, body: KubeObject, { manager, force = false, signal }: ApplyOptions): Promise<KubeObject> {
    const query = { fieldManager: manager, ...(force && { force: "true" }) };
    // JSON is YAML, and the only form of this type that servers of every version take.
    return await this.#object({ ...call, method: "PATCH", query, body, type: "application/apply-patch+yaml" }, signal);
  }

  async #object(call: Call, signal: AbortSignal | undefined): Promise<KubeObject> {
    const what = describe(call);
    const object = AnyObject.safeParse(json(await this.#text(call, signal), what));
    if (!object.success) throw new ServiceError("unavailable", `${what}: the answer is no object`);
    return object.data;
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
    await using opened = await this.#open({ resource, query }, this.watchMs + this.#graceMs, signal);
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

  async #text(call: Call, signal: AbortSignal | undefined): Promise<string> {
    const deadline = AbortSignal.timeout(this.#timeoutMs);
    const both = signal === undefined ? deadline : AbortSignal.any([signal, deadline]);
    try {
      await using opened = await this.#open(call, this.#timeoutMs, both);
      return await textOf(opened.response, call.resource, this.#maxBytes);
    } catch (error) {
      signal?.throwIfAborted();
      if (!deadline.aborted) throw error;
      throw new ServiceError("unavailable", `${describe(call)}: no answer within ${this.#timeoutMs} ms`, {
        cause: error,
      });
    }
  }

  /** Sends a request and resolves with its response. Rejects with what a refusal means. */
  async #open(call: Call, silenceMs: number, signal: AbortSignal | undefined): Promise<Opened> {
    signal?.throwIfAborted();
    const access = await this.#access();
    const { labelSelector, fieldSelector } = call.resource;
    const parameters = new URLSearchParams({
      ...call.query,
      ...(labelSelector !== undefined && { labelSelector }),
      ...(fieldSelector !== undefined && { fieldSelector }),
    });
    const origin = access.url.replace(/\/+$/, "");
    const what = describe(call, origin);
    const body = call.body === undefined ? undefined : JSON.stringify(call.body);
    const request = open(new URL(`${origin}${pathOf(call)}?${parameters}`), call, body, access);
    const opened = new Opened(request, signal);
    request.setTimeout(silenceMs, () => {
      request.destroy(new ServiceError("unavailable", `${what}: silent for ${silenceMs} ms`));
    });
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    request.once("response", resolve);
    request.on("error", reject);
    if (body === undefined) request.end();
    else sendWhenConnected(request, body, this.#beforeWrite);
    try {
      opened.response = await promise;
      const { statusCode = 0 } = opened.response;
      if (statusCode >= 200 && statusCode < 300) return opened;
      throw await refusal(opened.response, what, call);
    } catch (error) {
      await opened[Symbol.asyncDispose]();
      signal?.throwIfAborted();
      if (error instanceof ServiceError) throw error;
      const { message } = error as Error;
      throw new ServiceError("unavailable", `${what}: ${message}`, { cause: error });
    }
  }
}

type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

interface Call {
  readonly method?: Method;
  readonly resource: Resource;
  /** The object, if the request is about one. */
  readonly name?: string;
  readonly part?: "status";
  readonly query?: Query;
  readonly body?: object;
  /** The media type of the body; application/json if not given. */
  readonly type?: string;
}

function pathOf({ resource, name, part }: Call): string {
  return [resource.path, ...(name === undefined ? [] : [encodeURIComponent(name)]), ...(part ? [part] : [])].join("/");
}

function describe(call: Call, origin = ""): string {
  return `${call.method ?? "GET"} ${origin}${pathOf(call)}`;
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

function open(url: URL, call: Call, body: string | undefined, access: Access): ClientRequest {
  const { method = "GET", type = "application/json", resource, name, query } = call;
  const part = query?.["watch"] === undefined ? "PartialObjectMetadataList" : "PartialObjectMetadata";
  const isPartial = resource.isMetadataOnly === true && method === "GET" && name === undefined;
  const headers = {
    accept: isPartial ? `application/json;as=${part};g=meta.k8s.io;v=v1` : "application/json",
    "user-agent": "plumbline",
    // Without a length Node would send no body with DELETE.
    ...(body !== undefined && { "content-type": type, "content-length": String(Buffer.byteLength(body)) }),
    ...(access.token !== undefined && { authorization: `Bearer ${access.token}` }),
  };
  const tls = {
    ...(access.ca !== undefined && { ca: access.ca }),
    ...(access.certificate !== undefined && { cert: access.certificate }),
    ...(access.key !== undefined && { key: access.key }),
    ...(access.serverName !== undefined && { servername: access.serverName }),
  };
  // Without an agent each request has its own connection, which ends with it.
  return url.protocol === "http:"
    ? requestHttp(url, { method, headers, agent: false })
    : requestHttps(url, { method, headers, agent: false, ...tls });
}

/**
 * Sends the body once the connection is open. A process that was stopped while it connected must
 * pass the check when it continues, and not before.
 */
function sendWhenConnected(request: ClientRequest, body: string, check: (() => void) | undefined): void {
  request.once("socket", (socket) => {
    socket.once(socket instanceof TLSSocket ? "secureConnect" : "connect", () => {
      try {
        check?.();
        request.end(body);
      } catch (error) {
        request.destroy(error as Error);
      }
    });
  });
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

/** The reason of an error when another writer was first. */
export const conflict = "KUBERNETES_CONFLICT";

const codes: Readonly<Record<number, Code>> = {
  400: "invalid_argument",
  401: "unauthenticated",
  403: "permission_denied",
  404: "not_found",
  409: "aborted",
  410: "unavailable",
  415: "unimplemented",
  422: "invalid_argument",
};

const Status = z.object({ message: z.string(), reason: z.string().optional() });

const AnyObject = z.looseObject({ metadata: z.looseObject({ name: z.string() }) });

const verbs: Readonly<Record<Exclude<Method, "GET">, string>> = {
  POST: "the verb create",
  PUT: "the verb update",
  PATCH: "the verbs create and patch",
  DELETE: "the verb delete",
};

function verbOf({ method = "GET", name }: Call): string {
  if (method !== "GET") return verbs[method];
  return name === undefined ? "the verbs list and watch" : "the verb get";
}

async function refusal(response: IncomingMessage, what: string, call: Call): Promise<ServiceError> {
  const { statusCode = 0, headers } = response;
  const text = await textOf(response, call.resource, 64 * 1024).catch(() => "");
  const status = Status.safeParse(parsed(text));
  const why = status.success ? status.data.message : `the answer has the status ${statusCode}`;
  const hint = statusCode === 403 ? `; the role needs ${verbOf(call)}` : "";
  const seconds = Number(headers["retry-after"]);
  const exists = status.success && status.data.reason === "AlreadyExists";
  return new ServiceError(exists ? "already_exists" : (codes[statusCode] ?? "unavailable"), `${what}: ${why}${hint}`, {
    ...(statusCode === 410 && { reason: gone }),
    ...(statusCode === 409 && { reason: conflict }),
    ...(seconds > 0 && { retryAfterMs: Math.min(seconds, 60) * 1_000 }),
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
