import { steadyNow } from "@plumbline/concurrency";
import { ErrorCode, HeaderField, type Http2Stream, type StreamHandler } from "@plumbline/http2";
import type { ServerMethod } from "../../transport.ts";
import { isGrpc } from "../content-type.ts";
import { parseTimeout } from "../timeout.ts";
import { appendStatus, contentType, status200 } from "./fields.ts";
import { acceptEncoding } from "./gzip.ts";
import { type Acceptor, StreamIncoming, UnaryIncoming } from "./incoming.ts";
import { watchUnsent } from "./unsent.ts";

/** Accepts a request as a call of one of the methods, or refuses it with the reason. */
export function accept(
  stream: Http2Stream,
  fields: readonly HeaderField[],
  isLast: boolean,
  acceptor: Acceptor,
): StreamHandler {
  let httpMethod = "";
  let path = "";
  let type = "";
  let timeout = "";
  let encoding = "identity";
  for (const { name, value } of fields) {
    switch (name) {
      case ":method":
        httpMethod = value;
        break;
      case ":path":
        path = value;
        break;
      case "content-type":
        type = value;
        break;
      case "grpc-timeout":
        timeout = value;
        break;
      case "grpc-encoding":
        encoding = value;
        break;
      default:
    }
  }
  const { stallMs } = acceptor;
  if (httpMethod !== "POST") return refuseHttp(stream, 405, "gRPC calls use POST", stallMs);
  if (!isGrpc(type))
    return refuseHttp(stream, 415, 'gRPC has the content-type "application/grpc" or "application/grpc+proto"', stallMs);
  const method = acceptor.methods.get(path);
  if (method === undefined) return refuse(stream, unimplemented, `unknown method ${path}`);
  const isGzip = encoding === "gzip";
  if (!isGzip && encoding !== "identity") {
    return refuse(stream, unimplemented, `grpc-encoding ${encoding} is not supported: send identity or gzip`);
  }
  const timeoutMs = timeout === "" ? defaultTimeout(method, acceptor) : parseTimeout(timeout);
  if (timeoutMs === undefined) return refuse(stream, internal, `grpc-timeout is malformed: ${timeout}`);

  const request = { stream, fields, deadline: steadyNow() + timeoutMs, method, acceptor, isGzip };
  const call = method.kind === "unary" ? new UnaryIncoming(request) : new StreamIncoming(request);
  if (isLast) call.onData(empty, true);
  return call;
}

/** Streams last as long as their connection, so they have no default. */
function defaultTimeout({ kind }: ServerMethod, { defaultTimeoutMs }: Acceptor): number {
  return kind === "unary" ? defaultTimeoutMs : Number.POSITIVE_INFINITY;
}

const unimplemented = 12;
const internal = 13;
const empty = Buffer.alloc(0);

const ignored: StreamHandler = {
  onHeaders: () => {},
  onData: () => {},
  onTrailers: () => {},
  onReset: () => {},
  onDrain: () => {},
};

function refuse(stream: Http2Stream, code: number, message: string): StreamHandler {
  const fields = [status200, contentType, acceptEncoding];
  appendStatus(fields, { code, message });
  stream.sendHeaders(fields, true);
  return ignored;
}

/**
 * Refuses a request that may not be gRPC, by HTTP status and a text (gRPC over HTTP2,
 * "Content-Type").
 */
function refuseHttp(stream: Http2Stream, status: number, text: string, stallMs: number): StreamHandler {
  const fields = [new HeaderField(":status", `${status}`), new HeaderField("content-type", "text/plain")];
  stream.sendHeaders(fields, false);
  const isSent = stream.sendData(Buffer.from(`${text}\n`), true);
  if (!isSent) watchUnsent(stream, stallMs, () => stream.reset(ErrorCode.enhanceYourCalm));
  return ignored;
}
