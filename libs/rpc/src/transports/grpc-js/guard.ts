import {
  constants,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type ServerOptions,
} from "node:http2";
import type { Server } from "@grpc/grpc-js";
import { longestTimerMs, placeSocket } from "@plumbline/concurrency";
import { Peers } from "@plumbline/http2";
import type { ServerMethod, ServerTransportOptions } from "../../transport.ts";
import { isGrpc } from "../content-type.ts";
import { ownerOf } from "../owner.ts";
import { parseTimeout } from "../timeout.ts";
import { accountOf, type CallAccount, openCall, openSession, type SessionAccount } from "./accounts.ts";
import { identifySession } from "./identities.ts";

type GuardOptions = Pick<ServerTransportOptions, "defaultTimeoutMs" | "identify" | "stallMs" | "memory" | "places">;

interface Internals {
  createHttp2Server: (this: Server, ...args: unknown[]) => Http2Server;
  readonly commonServerOptions: ServerOptions;
}

/**
 * Puts a layer of ours below a grpc-js server, which takes any method and content-type, knows no
 * default deadline, and holds any number of octets for its clients. The layer sees each request
 * before grpc-js does.
 */
export function guard(server: Server, methods: readonly ServerMethod[], options: GuardOptions): void {
  const peers = new Peers(options.memory);
  const unary = new Set(methods.filter(({ kind }) => kind === "unary").map(({ path }) => path));
  const defaultTimeout = `${Math.ceil(options.defaultTimeoutMs)}m`;
  const internals = server as unknown as Internals;
  const { createHttp2Server } = internals;
  // The peer is charged for resets in its account. This bound would end the connection of a peer
  // that speaks for many clients.
  Object.assign(internals.commonServerOptions, { streamResetBurst: 100_000, streamResetRate: 10_000 });
  internals.createHttp2Server = (...args) => {
    const http2Server = createHttp2Server.apply(server, args);
    const sessions = new Set<SessionAccount>();
    const sweep = setInterval(() => endStalled(sessions, options.stallMs), options.stallMs / 4).unref();
    http2Server.once("close", () => clearInterval(sweep));
    http2Server.prependListener("session", (session: ServerHttp2Session) => {
      if (options.identify !== undefined) identifySession(session, options.identify);
      const account = openSession(session, peers);
      sessions.add(account);
      session.once("close", () => sessions.delete(account));
      const owner = ownerOf(options, session.socket.remoteAddress);
      placeSocket(options.places, owner, session, () => account.calls.size === 0);
    });
    const emit = http2Server.emit.bind(http2Server) as (event: string, ...args: unknown[]) => boolean;
    http2Server.emit = (event: string, ...rest: unknown[]): boolean => {
      if (event !== "stream") return emit(event, ...rest);
      // An array that is only read by index and passed on is never made.
      const stream = rest[0] as ServerHttp2Stream;
      const headers = rest[1] as IncomingHttpHeaders;
      const call = openCall(stream);
      if (call === undefined) {
        stream.on("error", () => {});
        stream.close(constants.NGHTTP2_REFUSED_STREAM);
        return true;
      }
      stream.on("close", endCall);
      const refusal = refusalOf(headers);
      if (refusal !== undefined) {
        refuse(call, refusal);
        return true;
      }
      if (headers["grpc-timeout"] === undefined && unary.has(headers[":path"] ?? "")) {
        headers["grpc-timeout"] = defaultTimeout;
      }
      return emit(event, ...rest);
    };
    return http2Server;
  };
}

function endCall(this: ServerHttp2Stream): void {
  const call = accountOf(this);
  call?.end();
  call?.charge();
}

/** Ends the calls whose client has taken no answer for `stallMs`. */
function endStalled(sessions: Iterable<SessionAccount>, stallMs: number): void {
  const time = performance.now() - stallMs;
  for (const { calls } of sessions) {
    for (const call of calls) if (call.waitsSince(time)) call.stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  }
}

interface Refusal {
  readonly headers: Record<string, string>;
  readonly text?: string;
}

/** Returns the answer to a request that is no gRPC call; undefined if it is one. */
function refusalOf(headers: IncomingHttpHeaders): Refusal | undefined {
  if (headers[":method"] !== "POST") return plain("405", "gRPC calls use POST");
  const type = headers["content-type"] ?? "";
  if (!isGrpc(type)) return plain("415", 'gRPC has the content-type "application/grpc" or "application/grpc+proto"');
  const timeout = headers["grpc-timeout"];
  if (timeout === undefined) return undefined;
  const timeoutMs = parseTimeout(`${timeout}`);
  if (timeoutMs === undefined) return failed(13, `grpc-timeout is malformed: ${timeout}`);
  // grpc-js keeps a timeout in 31 bits, and a longer one would end at once.
  if (timeoutMs > longestTimerMs) headers["grpc-timeout"] = `${Math.floor(longestTimerMs / 3_600_000)}H`;
  return undefined;
}

function plain(status: string, text: string): Refusal {
  return { headers: { ":status": status, "content-type": "text/plain" }, text: `${text}\n` };
}

function failed(code: number, message: string): Refusal {
  const status = { "grpc-status": `${code}`, "grpc-message": encodeURI(message.toWellFormed()) };
  return { headers: { ":status": "200", "content-type": "application/grpc", ...status } };
}

function refuse(call: CallAccount, { headers, text }: Refusal): void {
  const { stream } = call;
  stream.on("error", () => {});
  if (text !== undefined && !call.holdAnswer(text.length)) return stream.close(constants.NGHTTP2_REFUSED_STREAM);
  stream.resume(); // A body is dropped.
  stream.respond(headers, { endStream: text === undefined });
  // The answer is complete and the request may not be: the rest is not wanted.
  const close = (): void => void setImmediate(() => stream.close(constants.NGHTTP2_NO_ERROR));
  if (text === undefined) return close();
  stream.end(text, () => {
    call.answerSent(text.length);
    close();
  });
}
