/** The error codes of RFC 9113, 7. */
export const ErrorCode = {
  noError: 0x0,
  protocolError: 0x1,
  internalError: 0x2,
  flowControlError: 0x3,
  settingsTimeout: 0x4,
  streamClosed: 0x5,
  frameSizeError: 0x6,
  refusedStream: 0x7,
  cancel: 0x8,
  compressionError: 0x9,
  connectError: 0xa,
  enhanceYourCalm: 0xb,
  inadequateSecurity: 0xc,
  http11Required: 0xd,
} as const;

const names = Object.keys(ErrorCode);

/**
 * Returns the name of a code for logs, such as "PROTOCOL_ERROR", or its number if it is unassigned.
 */
export function errorName(code: number): string {
  const name = names[code];
  return name === undefined
    ? `0x${code.toString(16)}`
    : name.replaceAll(/[A-Z]|\d+/g, (part) => `_${part}`).toUpperCase();
}

/**
 * An error that ends the connection: the peer broke the protocol, or a bound. It gets GOAWAY and is
 * disconnected.
 */
export class ConnectionError extends Error {
  static {
    this.prototype.name = "ConnectionError";
  }

  readonly code: number;

  constructor(code: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** An error that ends one stream: a reset by either side, or the loss of the connection. */
export class StreamError extends Error {
  static {
    this.prototype.name = "StreamError";
  }

  readonly code: number;
  /** `local`: reset by us. `remote`: reset by the peer. `connection`: lost with the connection. */
  readonly origin: "local" | "remote" | "connection";
  /**
   * True if the peer has certainly not processed the stream, so that any request may be sent again
   * elsewhere.
   */
  readonly isUnprocessed: boolean;

  constructor(code: number, message: string, origin: StreamError["origin"], isUnprocessed = false) {
    super(message);
    this.code = code;
    this.origin = origin;
    this.isUnprocessed = isUnprocessed;
  }
}
