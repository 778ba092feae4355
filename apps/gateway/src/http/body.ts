import type { IncomingMessage, ServerResponse } from "node:http";
import { ServiceError } from "@plumbline/errors";
import { mediaType, sendContinue } from "./content.ts";
import { Shares } from "./shares.ts";
import { Sweep } from "./sweep.ts";

/**
 * A body that is too large is refused at once, then read this far, so that the client sees the
 * response.
 */
const drainBytes = 16 * 1024 * 1024;

const empty = new Uint8Array(0);

/** The body of a request without one. */
export const noBody: Body = { bytes: empty };

/** The bounds of all bodies. */
export interface BodyLimits {
  /** Bodies of one client that are not complete. */
  readonly perClient: number;
  /** Bytes of bodies of one client, until their requests are answered. */
  readonly bytesPerClient: number;
  readonly bytesInAll: number;
  /** The least bytes per second, once a body has taken `graceMs`. */
  readonly leastRate: number;
  readonly graceMs: number;
}

/** A complete body. */
export interface Body {
  readonly bytes: Uint8Array;
  /** Ends the counting of its bytes; absent if they do not count. */
  readonly release?: () => void;
}

/** Bodies up to this size do not count while their requests run: places bound those. */
const smallBytes = 16 * 1024;

interface UnderWay {
  readonly startedAt: number;
  size: number;
  readonly tooSlow: () => void;
}

/**
 * Reads bodies, bounded per client and in all. A client that begins bodies and does not send them
 * uses up its own places only, and not for long.
 */
export class Bodies {
  readonly #limits: () => BodyLimits;
  readonly #places: Shares;
  readonly #bytes: Shares;
  readonly #underWay = new Set<UnderWay>();
  readonly #sweep = new Sweep(() => this.#endSlow());

  constructor(limits: () => BodyLimits) {
    this.#limits = limits;
    this.#places = new Shares(() => ({ perClient: limits().perClient, inAll: Number.POSITIVE_INFINITY }));
    this.#bytes = new Shares(() => ({ perClient: limits().bytesPerClient, inAll: limits().bytesInAll }));
  }

  /** Bytes that are held now. */
  get bytes(): number {
    return this.#bytes.held;
  }

  /**
   * Reads the whole body, at most `maxBytes`. Throws ServiceError BODY_TOO_LARGE,
   * UNSUPPORTED_MEDIA_TYPE for a body that is not plain application/json, BODY_TOO_SLOW, or
   * OVERLOADED if the client or all clients have too many bodies. A client that waits for
   * `100 Continue` gets it only if its body is wanted.
   */
  async read(request: IncomingMessage, response: ServerResponse, maxBytes: number, client: string): Promise<Body> {
    const declared = Number(request.headers["content-length"] ?? 0);
    // An empty body needs no type. Only a chunked body can turn out to be empty.
    if (declared > 0 || request.headers.expect !== undefined) checkType(request);
    if (declared > maxBytes) throw unread(request, tooLarge(maxBytes));
    const exceeded = this.#places.exceeded(client, 1) ?? this.#bytes.exceeded(client, declared);
    if (exceeded !== undefined) throw unread(request, refused(exceeded));
    sendContinue(request, response);

    // Most bodies arrive with their head. Those need neither place nor timer.
    if (declared > 0 && declared <= smallBytes) {
      await Promise.resolve();
      // With the length: without it Node 26 reads the first of several chunks alone.
      const whole = request.readableLength === declared ? (request.read(declared) as Buffer | null) : null;
      if (whole?.length === declared) {
        request.resume();
        return { bytes: whole };
      }
      if (request.destroyed) throw new DOMException("the client disconnected", "AbortError");
    }

    this.#places.add(client, 1);
    const chunks: Buffer[] = [];
    let kept = 0;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const tooSlow = (): void => {
      response.shouldKeepAlive = false;
      reject(slow(this.#limits()));
    };
    const body: UnderWay = { startedAt: performance.now(), size: 0, tooSlow };
    request.on("data", (chunk: Buffer) => {
      body.size += chunk.length;
      if (body.size > maxBytes) return reject(tooLarge(maxBytes));
      const bound = this.#bytes.exceeded(client, chunk.length);
      if (bound !== undefined) return reject(refused(bound));
      this.#bytes.add(client, chunk.length);
      kept += chunk.length;
      chunks.push(chunk);
    });
    request.once("end", resolve);
    request.once("close", () => reject(new DOMException("the client disconnected", "AbortError")));
    this.#underWay.add(body);
    this.#sweep.start();
    try {
      await promise;
      // Checked after reading: an empty body needs no type.
      if (body.size > 0) checkType(request);
    } catch (error) {
      this.#bytes.remove(client, kept);
      drain(request);
      throw error;
    } finally {
      this.#underWay.delete(body);
      this.#places.remove(client, 1);
    }
    const bytes = chunks.length === 1 ? (chunks[0] ?? empty) : Buffer.concat(chunks, body.size);
    return { bytes, release: () => this.#bytes.remove(client, kept) };
  }

  /** Ends the bodies that are too slow. Returns true while some are under way. */
  #endSlow(): boolean {
    const { leastRate, graceMs } = this.#limits();
    const now = performance.now();
    for (const { startedAt, size, tooSlow } of this.#underWay) {
      const ms = now - startedAt;
      if (ms > graceMs && size < (leastRate * ms) / 1000) tooSlow();
    }
    return this.#underWay.size > 0;
  }
}

function checkType({ headers }: IncomingMessage): void {
  const type = mediaType(headers["content-type"]);
  const charset = (headers["content-type"] ?? "")
    .toLowerCase()
    .split(";")
    .map((part) => part.trim())
    .find((parameter) => parameter.startsWith("charset="))
    ?.slice("charset=".length)
    .replaceAll('"', "");
  if (type !== "application/json") {
    throw unsupported(`Content-Type must be application/json; it is ${type === "" ? "missing" : type.slice(0, 64)}.`);
  }
  if (charset !== undefined && charset !== "utf-8") {
    throw unsupported(`The charset of Content-Type must be utf-8; it is ${charset.slice(0, 64)}.`);
  }
  const encoding = headers["content-encoding"];
  if (encoding !== undefined && encoding.toLowerCase() !== "identity")
    throw unsupported(`Content-Encoding must be absent; it is ${encoding.slice(0, 64)}. Send the body uncompressed.`);
}

function unsupported(message: string): ServiceError {
  return new ServiceError("invalid_argument", message, { reason: "UNSUPPORTED_MEDIA_TYPE" });
}

function tooLarge(maxBytes: number): ServiceError {
  return new ServiceError("out_of_range", `The body is larger than the limit of ${maxBytes} bytes.`, {
    reason: "BODY_TOO_LARGE",
  });
}

/** Returns the error of a body of which nothing was read. */
function unread(request: IncomingMessage, error: ServiceError): ServiceError {
  // A client that waits for `100 Continue` sends nothing.
  if (request.headers.expect === undefined) drain(request);
  return error;
}

/** Reads on without keeping anything, so that the client sees the response. */
function drain(request: IncomingMessage): void {
  let left = drainBytes;
  request.removeAllListeners("data").on("data", (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) request.destroy();
  });
}

function refused(bound: "client" | "all"): ServiceError {
  return bound === "client"
    ? new ServiceError(
        "resource_exhausted",
        "This client has too many bodies under way. Try again after the time in Retry-After.",
        { reason: "OVERLOADED", retryAfterMs: 1000 },
      )
    : new ServiceError(
        "unavailable",
        "The gateway has too many bodies under way. Try again after the time in Retry-After.",
        {
          reason: "OVERLOADED",
          retryAfterMs: 1000,
        },
      );
}

function slow({ leastRate }: BodyLimits): ServiceError {
  return new ServiceError(
    "deadline_exceeded",
    `The body arrives at less than ${leastRate} bytes per second. Send it faster, or in smaller requests.`,
    { reason: "BODY_TOO_SLOW" },
  );
}
