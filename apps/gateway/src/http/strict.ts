import type { IncomingMessage } from "node:http";
import { ServiceError } from "@plumbline/errors";
import type { RequestHandler } from "express";
import { hasBody, mediaType } from "./content.ts";

/**
 * Refuses requests that Node accepts and RFC 9112 does not, or that two programs could read in two
 * ways: Host missing, given twice or invalid, other transfer codings than chunked, other versions,
 * bodies of GET. The connection is closed after the answer. If `hosts` are given, a request for
 * another one is refused too: a page of another site can make its name point to this machine.
 */
export function strict(hosts: ReadonlySet<string> = new Set()): RequestHandler {
  return (request, response, next) => {
    const refusal = refusalOf(request) ?? (hosts.size > 0 ? misdirected(request, hosts) : undefined);
    if (refusal !== undefined) {
      response.shouldKeepAlive = false;
      throw refusal;
    }
    // The body may follow or not, unless `sendContinue` asks for it.
    if (request.headers.expect !== undefined) response.shouldKeepAlive = false;
    next();
  };
}

/** Returns the reason to refuse a request for its form; undefined if there is none. */
export function refusalOf(request: IncomingMessage): ServiceError | undefined {
  const { headers, httpVersion, method } = request;
  if (httpVersion !== "1.1" && httpVersion !== "1.0") return malformed("The version must be HTTP/1.1.");
  const hosts = hostsOf(request.rawHeaders);
  if (hosts > 1) return malformed("Host must appear once.");
  if (hosts === 0 ? httpVersion === "1.1" : !validHost.test(headers.host ?? ""))
    return malformed("Host must be a name or an address, with a port or without.");
  const coding = headers["transfer-encoding"];
  if (coding !== undefined) {
    if (httpVersion === "1.0") return malformed("HTTP/1.0 has no Transfer-Encoding.");
    if (coding.trim().toLowerCase() !== "chunked")
      return new ServiceError("unimplemented", "Transfer-Encoding must be chunked.", { reason: "MALFORMED_REQUEST" });
  }
  if (headers.expect !== undefined && headers.expect.toLowerCase() !== "100-continue" && httpVersion === "1.1")
    return new ServiceError("failed_precondition", "Expect must be 100-continue.", { reason: "EXPECTATION_FAILED" });
  if ((method === "GET" || method === "HEAD") && hasBody(request))
    return malformed(`${method} accepts no body. Send the fields in the path or the query.`);
  return undefined;
}

function misdirected({ headers }: IncomingMessage, hosts: ReadonlySet<string>): ServiceError | undefined {
  const host = (headers.host ?? "").replace(/:\d*$/, "").toLowerCase();
  if (hosts.has(host)) return undefined;
  return new ServiceError("invalid_argument", "This server does not serve the host of the request.", {
    reason: "MISDIRECTED_REQUEST",
  });
}

/** A name of RFC 3986 or an IPv6 address, and a port. */
const validHost = /^(?:\[[\da-fA-F:.]{2,45}\]|(?:[\w.~!$&'()*+;=-]|%[\da-fA-F]{2}){1,255})(?::\d{0,5})?$/;

/** Counts the Host fields. `headers` has only the first. */
function hostsOf(raw: readonly string[]): number {
  let count = 0;
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] as string;
    if (name.length === 4 && (name === "Host" || name === "host" || name.toLowerCase() === "host")) count += 1;
  }
  return count;
}

function malformed(message: string): ServiceError {
  return new ServiceError("invalid_argument", message, { reason: "MALFORMED_REQUEST" });
}

const safeMethods = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * Throws ServiceError UNSUPPORTED_MEDIA_TYPE for a request that a page of another site can make a
 * browser send: it changes something, and has neither the type application/json nor a header of
 * this API, which need the permission of CORS.
 */
export function refuseCrossSite({ method = "", headers }: IncomingMessage): void {
  if (safeMethods.has(method)) return;
  const type = mediaType(headers["content-type"]);
  if (type === "application/json") return;
  if (headers["idempotency-key"] !== undefined || headers["x-request-id"] !== undefined) return;
  if (type === "" && !isOtherSite(headers)) return;
  throw new ServiceError(
    "invalid_argument",
    type === ""
      ? "A request of another site needs Content-Type: application/json, X-Request-Id or Idempotency-Key."
      : `Content-Type must be application/json; it is ${type.slice(0, 64)}.`,
    { reason: "UNSUPPORTED_MEDIA_TYPE" },
  );
}

/** Returns true if a browser says that a page of another origin sends the request. */
function isOtherSite(headers: IncomingMessage["headers"]): boolean {
  const site = headers["sec-fetch-site"];
  if (site !== undefined) return site !== "same-origin" && site !== "none";
  const { origin } = headers;
  return origin !== undefined && URL.parse(origin)?.host !== headers.host?.toLowerCase();
}
