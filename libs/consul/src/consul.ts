import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { Socket } from "node:net";
import { type Abortable, deadline, onAbort } from "@plumbline/concurrency";
import { type Code, isServiceError, ServiceError } from "@plumbline/errors";
import type { ClientTls, Reloadable } from "@plumbline/rpc";
import { tlsFaultOf } from "@plumbline/rpc/tls-fault";

export interface ConsulOptions {
  /** The address of the agent: `http://127.0.0.1:8500`, or with https. */
  readonly url: string;
  /** Returns the token. It is asked for each call, so a rotated token is used at once. */
  readonly token?: (() => string | undefined) | undefined;
  /** The certificates for https. A change applies to new connections. */
  readonly tls?: Reloadable<ClientTls> | undefined;
  /** The longest time for a connection, and for a call that does not wait for a change. 5 s. */
  readonly timeoutMs?: number | undefined;
}

/** A client of one Consul agent. Disposing ends its calls and closes its connections. */
export interface Consul extends AsyncDisposable {
  readonly url: string;
  readonly timeoutMs: number;
  /**
   * Sends a request. Rejects with a `ServiceError` that names the URL: `unavailable` if the agent
   * is away, late or answers 429 or 5xx, `permission_denied`, or `invalid_argument`.
   */
  call(request: ConsulRequest): Promise<ConsulAnswer>;
}

export interface ConsulRequest extends Abortable {
  readonly method?: "GET" | "PUT" | "DELETE" | undefined;
  /** Escaped: `/v1/kv/a%20b`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>> | undefined;
  readonly body?: string | Uint8Array | undefined;
  /** The largest answer. 4 MiB. */
  readonly maxBytes?: number | undefined;
  /** The longest time until the end of the answer. That of the client. */
  readonly timeoutMs?: number | undefined;
  /** If true, 404 is an answer like any other. */
  readonly mayBeMissing?: boolean | undefined;
  /**
   * The connection that the request needs, of an earlier answer. Rejects with `OtherConnection` at
   * once if it is gone: the agent may have been replaced by one with another history.
   */
  readonly connection?: object | undefined;
}

export interface ConsulAnswer {
  readonly status: number;
  /** The whole body; undefined if it is larger than `maxBytes`. */
  readonly body: Buffer | undefined;
  /** The connection that the answer came over. */
  readonly connection: object;
  header(name: string): string | undefined;
}

/** A request needed a connection that is gone. */
export class OtherConnection extends Error {
  override readonly name = "OtherConnection";
}

const usualTimeoutMs = 5_000;
const usualMaxBytes = 4 * 1024 * 1024;
const maxReasonBytes = 1024;
const maxConnections = 64;

/** Returns a client. It connects when it is used. Throws `invalid_argument` for a wrong address. */
export function openConsul(options: ConsulOptions): Consul {
  const base = addressOf(options.url);
  const { timeoutMs = usualTimeoutMs, token } = options;
  const connections = connectionsTo(base, options.tls);
  const stop = new AbortController();

  async function call(request: ConsulRequest): Promise<ConsulAnswer> {
    const { method = "GET", path, query = {}, maxBytes = usualMaxBytes } = request;
    const url = new URL(path, base);
    url.search = new URLSearchParams(query).toString();
    // The query of a watch differs each time and says nothing to a reader.
    const what = `${method} ${base.origin}${path}`;
    const ms = request.timeoutMs ?? timeoutMs;
    using limit = deadline(ms, request);
    using _stop = onAbort(stop.signal, () => limit.abort(new ServiceError("cancelled", "the Consul client is closed")));
    const secret = token?.();
    const headers = {
      ...(secret !== undefined && { "x-consul-token": secret }),
      ...(request.body !== undefined && { "content-length": Buffer.byteLength(request.body) }),
    };
    const send = (): Promise<ConsulAnswer> =>
      exchange(
        url,
        {
          method,
          headers,
          agent: connections(),
          connectMs: timeoutMs,
          maxBytes,
          connection: request.connection,
          signal: limit.signal,
        },
        request.body,
      );
    try {
      const answer = await send().catch((error: unknown) => {
        // The agent closed a connection while it was idle: nothing was sent.
        if (limit.signal.aborted || !(error instanceof StaleConnection)) throw error;
        if (request.connection !== undefined) throw new OtherConnection(error.message, { cause: error });
        return send();
      });
      const { status } = answer;
      if ((status >= 200 && status < 300) || (status === 404 && request.mayBeMissing === true)) return answer;
      throw refused(what, status, redacted(reasonOf(answer.body), secret));
    } catch (error) {
      request.signal?.throwIfAborted();
      stop.signal.throwIfAborted();
      if (isServiceError(error) || error instanceof OtherConnection) throw error;
      if (limit.signal.aborted) {
        // Idle connections may be as dead as this one, for instance if a gateway forgot them.
        closeIdle(connections());
        const message = `${what} did not answer within ${ms} ms: check that the Consul agent there is healthy`;
        throw new ServiceError("unavailable", message, { cause: error });
      }
      throw unreachable(what, base, error);
    }
  }

  return {
    url: base.origin,
    timeoutMs,
    call,
    async [Symbol.asyncDispose]() {
      stop.abort(new ServiceError("cancelled", "the Consul client is closed"));
      connections().destroy();
    },
  };
}

/** Returns the JSON of an answer. Throws `unavailable` if it is none, or larger than allowed. */
export function jsonOf(answer: ConsulAnswer, what: string): unknown {
  if (answer.body === undefined) {
    throw new ServiceError("unavailable", `${what}: the answer is larger than ${usualMaxBytes} bytes`);
  }
  try {
    return JSON.parse(answer.body.toString());
  } catch (cause) {
    const message = `${what}: the answer is not JSON; check that the address is that of a Consul agent`;
    throw new ServiceError("unavailable", message, { cause });
  }
}

function addressOf(url: string): URL {
  const base = URL.parse(url);
  const isRoot = base !== null && base.pathname === "/" && base.search === "" && base.hash === "";
  if (!isRoot || !/^https?:$/.test(base.protocol) || base.username !== "" || base.password !== "") {
    // Not the text itself: it may hold a password.
    throw new ServiceError(
      "invalid_argument",
      "the address of Consul: expected http://host:port or https://host:port, without a path or a user",
    );
  }
  return base;
}

/** Returns the pool of connections. New certificates get a new one. */
function connectionsTo(base: URL, tls: Reloadable<ClientTls> | undefined): () => HttpAgent {
  const pool = { keepAlive: true, maxSockets: maxConnections, scheduling: "lifo" as const, timeout: 0 };
  if (base.protocol === "http:") {
    const agent = new HttpAgent(pool);
    return () => agent;
  }
  let last: ClientTls | undefined;
  let agent: HttpsAgent | undefined;
  return () => {
    const now = typeof tls === "function" ? tls() : tls;
    if (agent === undefined || now !== last) {
      const { ca, certificate: cert, key, serverName: servername } = now ?? {};
      agent = new HttpsAgent({
        ...pool,
        minVersion: "TLSv1.2",
        ...(ca !== undefined && { ca }),
        ...(cert !== undefined && { cert }),
        ...(key !== undefined && { key }),
        ...(servername !== undefined && { servername }),
      });
      last = now;
    }
    return agent;
  };
}

function closeIdle({ freeSockets }: HttpAgent): void {
  for (const sockets of Object.values(freeSockets)) for (const socket of sockets ?? []) socket.destroy();
}

interface ExchangeOptions {
  readonly method: string;
  readonly headers: Record<string, string | number>;
  readonly agent: HttpAgent;
  readonly connectMs: number;
  readonly maxBytes: number;
  readonly connection: object | undefined;
  readonly signal: AbortSignal;
}

/** A connection that was closed before the request on it was read. */
class StaleConnection extends Error {
  override readonly name = "StaleConnection";
}

async function exchange(
  url: URL,
  options: ExchangeOptions,
  body: string | Uint8Array | undefined,
): Promise<ConsulAnswer> {
  const { maxBytes, connectMs, connection, ...rest } = options;
  rest.signal.throwIfAborted();
  const request = (url.protocol === "https:" ? httpsRequest : httpRequest)(url, rest);
  let connecting: NodeJS.Timeout | undefined;
  let used: object = request;
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      request.once("response", resolve);
      request.once("error", (error) => {
        const isStale = request.reusedSocket && "code" in error && error.code === "ECONNRESET";
        reject(isStale ? new StaleConnection(error.message, { cause: error }) : error);
      });
      request.once("socket", (socket: Socket) => {
        used = socket;
        if (connection !== undefined && socket !== connection) {
          reject(new OtherConnection("the connection of the last answer is gone"));
          request.destroy();
          return;
        }
        if (!socket.connecting) return;
        const late = (): void => void request.destroy(new Error(`no connection within ${connectMs} ms`));
        connecting = setTimeout(late, connectMs);
        socket.once(url.protocol === "https:" ? "secureConnect" : "connect", () => clearTimeout(connecting));
      });
      request.end(body);
    });
    return {
      status: response.statusCode ?? 0,
      body: await bodyOf(response, maxBytes),
      connection: used,
      header: headersOf(response),
    };
  } finally {
    clearTimeout(connecting);
  }
}

/** Returns the body, or undefined if it is too large. Then the connection ends. */
async function bodyOf(response: IncomingMessage, maxBytes: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) return undefined; // Leaving the loop destroys the response.
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function headersOf({ headers }: IncomingMessage): (name: string) => string | undefined {
  return (name) => {
    const value = headers[name.toLowerCase()];
    return typeof value === "string" ? value : undefined;
  };
}

function reasonOf(body: Buffer | undefined): string {
  return (body ?? Buffer.alloc(0)).subarray(0, maxReasonBytes).toString().replaceAll(/\s+/g, " ").trim().slice(0, 300);
}

function redacted(text: string, secret: string | undefined): string {
  return secret === undefined || secret === "" ? text : text.replaceAll(secret, "[secret]");
}

function refused(what: string, status: number, reason: string): ServiceError {
  const said = `${what} answered ${status}${reason === "" ? "" : ` (${reason})`}`;
  const [code, advice] = adviceFor(status);
  return new ServiceError(code, `${said}: ${advice}`);
}

function adviceFor(status: number): readonly [Code, string] {
  if (status === 401 || status === 403) return ["permission_denied", "check the token and its policies"];
  if (status === 429 || status >= 500) return ["unavailable", "check that Consul has a leader and is not overloaded"];
  if (status === 400) return ["invalid_argument", "Consul does not accept the request"];
  return ["unavailable", "check that the address is that of a Consul agent"];
}

function unreachable(what: string, url: URL, error: unknown): ServiceError {
  const { message, code = "" } = error as NodeJS.ErrnoException;
  // Attempts to several addresses fail with an AggregateError, which has no message.
  const said = message === "" ? code : message;
  const fault = error instanceof Error ? tlsFaultOf(error, url.hostname) : undefined;
  const isTls = fault !== undefined || /CERT|SIGNED|VERIFY|TLS|SSL|EPROTO/.test(code);
  const where = isTls ? "check its certificate and the trusted authorities" : "check that a Consul agent runs there";
  // A server may end the connection without a reason.
  const mayRefuse = !isTls && url.protocol === "https:" && /ECONNRESET|EPIPE/.test(code);
  const advice = mayRefuse ? `${where}, and that it accepts the client's certificate` : where;
  return new ServiceError("unavailable", `${what} failed (${fault ?? said}): ${advice}`, { cause: error });
}
