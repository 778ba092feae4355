/** RFC 9113, 7. */
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

/** "PROTOCOL_ERROR", for logs; of a code nobody assigned its number. */
export function errorName(code: number): string {
  const name = names[code];
  return name === undefined
    ? `0x${code.toString(16)}`
    : name.replaceAll(/[A-Z]|\d+/g, (part) => `_${part}`).toUpperCase();
}

/** The connection cannot go on: the peer broke the protocol, or a bound. It is told by GOAWAY, then disconnected. */
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

/** One stream ended early: reset by a side, or lost with its connection. */
export class StreamError extends Error {
  static {
    this.prototype.name = "StreamError";
  }

  readonly code: number;
  /** `local`: by us. `remote`: by the peer. `connection`: with the connection. */
  readonly origin: "local" | "remote" | "connection";
  /** The peer has certainly done nothing with it: it may be sent again elsewhere, whatever it asks for. */
  readonly isUnprocessed: boolean;

  constructor(code: number, message: string, origin: StreamError["origin"], isUnprocessed = false) {
    super(message);
    this.code = code;
    this.origin = origin;
    this.isUnprocessed = isUnprocessed;
  }
}
