import { once } from "node:events";
import {
  type ClientHttp2Session,
  connect as connectHttp2,
  createSecureServer,
  createServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo } from "node:net";
import type { Telemetry } from "@plumbline/telemetry";
import { noTelemetry } from "@plumbline/telemetry";
import type { Call } from "../call.ts";
import type { CallOptions, Channel } from "../client/channel.ts";
import { type ConnectOptions, connect } from "../client/connect.ts";
import { type Client, type ClientOptions, createClient } from "../client/create-client.ts";
import type { MessageType } from "../definition.ts";
import type { AccessTable } from "../interceptors/access.ts";
import { type RpcServer, type ServeOptions, serve } from "../server/serve.ts";
import { type Handlers, service } from "../server/service.ts";
import type { TransportName } from "../transports/index.ts";
import { ca, caller, server } from "./certificates.ts";

/** The transport on each side. */
export interface Pairing {
  readonly server: TransportName;
  readonly client: TransportName;
  /** Uses TLS with certificates on both sides; no TLS if not given. */
  readonly tls?: boolean | undefined;
}

export interface Case {
  /** A sentence that describes the behaviour. */
  readonly name: string;
  run(context: TestContext): Promise<void>;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A message that is bare text. */
const text: MessageType<string> = {
  encode: (value) => ({ finish: () => encoder.encode(value) }),
  decode: (bytes) => decoder.decode(bytes),
};

function method<A extends boolean, B extends boolean>(name: string, requestStream: A, responseStream: B) {
  return { name, requestType: text, requestStream, responseType: text, responseStream };
}

/** A service with one method of each kind, whose messages are bare text. */
export const Conformance = {
  fullName: "plumbline.rpc.Conformance",
  methods: {
    unary: method("Unary", false, false),
    clientStream: method("ClientStream", true, false),
    serverStream: method("ServerStream", false, true),
    bidiStream: method("BidiStream", true, true),
  },
} as const;

export type ConformanceHandlers = Handlers<typeof Conformance>;

/** Handlers that echo, for methods that a case does not handle. */
export const echo: ConformanceHandlers = {
  unary: async (request) => request,
  clientStream: async (requests) => (await Array.fromAsync(requests)).join(),
  async *serverStream(request) {
    yield request;
  },
  async *bidiStream(requests) {
    for await (const request of requests) yield request;
  },
};

export interface Opened {
  readonly server: RpcServer;
  readonly channel: Channel;
  readonly client: Client<typeof Conformance>;
}

/** The servers and channels of one case, closed after it. */
export class TestContext implements AsyncDisposable {
  readonly #pairing: Pairing;
  readonly #stack = new AsyncDisposableStack();

  constructor(pairing: Pairing) {
    this.#pairing = pairing;
  }

  async open(
    handlers: Partial<ConformanceHandlers> = {},
    options: {
      readonly server?: Partial<ServeOptions>;
      readonly channel?: Partial<ConnectOptions>;
      readonly client?: ClientOptions<typeof Conformance>;
      readonly telemetry?: Telemetry;
      /** The access rules of the methods. */
      readonly access?: AccessTable;
    } = {},
  ): Promise<Opened> {
    const { telemetry = noTelemetry } = options;
    const running = await this.serve(handlers, options.server, telemetry, options.access);
    const channel = await this.connect(running.port, options.channel, telemetry);
    return { server: running, channel, client: createClient(Conformance, channel, options.client) };
  }

  async serve(
    handlers: Partial<ConformanceHandlers> = {},
    options: Partial<ServeOptions> = {},
    telemetry: Telemetry = noTelemetry,
    access?: AccessTable,
  ): Promise<RpcServer> {
    const services = [service(Conformance, { ...echo, ...handlers })];
    return this.#stack.use(
      await serve(
        { services, telemetry, access: access && (() => access) },
        { host: "127.0.0.1", port: 0, ...this.#serverSide, graceMs: 2_000, ...options },
      ),
    );
  }

  async connect(port: number, options: Partial<ConnectOptions> = {}, telemetry = noTelemetry): Promise<Channel> {
    const target = `127.0.0.1:${port}`;
    const channel = await connect(target, telemetry, { ...this.#clientSide, timeoutMs: 10_000, ...options });
    return this.#stack.use(channel);
  }

  /** Opens an HTTP/2 session to a server of the pairing, which sends what it likes. */
  async session(port: number): Promise<ClientHttp2Session> {
    const isSecure = this.#pairing.tls === true;
    const own = isSecure ? { ca, cert: caller.certificate, key: caller.key, servername: "localhost" } : {};
    const session = connectHttp2(`${isSecure ? "https" : "http"}://127.0.0.1:${port}`, own);
    session.on("error", () => {});
    this.#stack.defer(() => session.destroy());
    await once(session, "connect");
    return session;
  }

  /** Starts a server that answers each stream by `answer`, and returns its port. */
  async rawServer(answer: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void): Promise<number> {
    const own = { ca, cert: server.certificate, key: server.key, requestCert: true };
    const raw = this.#pairing.tls === true ? createSecureServer(own) : createServer();
    raw.on("stream", answer);
    raw.on("session", (session: ServerHttp2Session) => this.#stack.defer(() => session.destroy()));
    raw.listen(0, "127.0.0.1");
    await once(raw, "listening");
    this.#stack.defer(() => void raw.close());
    return (raw.address() as AddressInfo).port;
  }

  get #serverSide(): Pick<ServeOptions, "transport" | "tls"> {
    const { server: transport, tls = false } = this.#pairing;
    return { transport, ...(tls && { tls: { ...server, clientCa: ca } }) };
  }

  get #clientSide(): Pick<ConnectOptions, "transport" | "tls"> {
    const { client: transport, tls = false } = this.#pairing;
    return { transport, ...(tls && { tls: { ...caller, ca } }) };
  }

  client(channel: Channel, options?: ClientOptions<typeof Conformance>): Client<typeof Conformance> {
    return createClient(Conformance, channel, options);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

/** Rejects with the reason when `call` is aborted; never resolves. For handlers without an end. */
export function untilAborted({ signal }: Pick<Call, "signal">): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

/** A moment that one side reaches and the other waits for. Cases have a deadline over all waits. */
export class Moment<T = void> {
  readonly #resolvers = Promise.withResolvers<T>();
  readonly reached: Promise<T> = this.#resolvers.promise;
  readonly reach: (value: T) => void = this.#resolvers.resolve;
}

/** Resolves with `read()` once it has stayed the same for 200 ms. */
export async function settled(read: () => number): Promise<number> {
  for (;;) {
    const before = read();
    await new Promise((resolve) => setTimeout(resolve, 200));
    if (read() === before) return before;
  }
}

/** Resolves with the error that `promise` rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("it succeeded");
}

/** Returns a call of each kind, with one empty request, read to its end. */
export function onceEach(
  client: Client<typeof Conformance>,
): Record<keyof ConformanceHandlers, (options?: CallOptions) => Promise<unknown>> {
  async function* one(): AsyncGenerator<string> {
    yield "";
  }
  return {
    unary: (options) => client.unary("", options),
    clientStream: (options) => client.clientStream(one(), options),
    serverStream: (options) => Array.fromAsync(client.serverStream("", options)),
    bidiStream: (options) => Array.fromAsync(client.bidiStream(one(), options)),
  };
}

export const kinds = Object.keys(Conformance.methods) as readonly (keyof ConformanceHandlers)[];
