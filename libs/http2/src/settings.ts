import { ConnectionError, ErrorCode } from "./error-code.ts";
import { defaultMaxFrameSize, maxWindow } from "./frames/types.ts";

/** The limits that a side sets for the other (RFC 9113, 6.5.2). */
export interface Settings {
  readonly headerTableSize: number;
  readonly enablePush: boolean;
  readonly maxConcurrentStreams: number;
  readonly initialWindowSize: number;
  readonly maxFrameSize: number;
  readonly maxHeaderListSize: number;
}

/** The limits before a side has sent its settings. */
export const initialSettings: Settings = {
  headerTableSize: 4_096,
  enablePush: true,
  maxConcurrentStreams: Number.POSITIVE_INFINITY,
  initialWindowSize: 65_535,
  maxFrameSize: defaultMaxFrameSize,
  maxHeaderListSize: Number.POSITIVE_INFINITY,
};

const ids = {
  headerTableSize: 0x1,
  enablePush: 0x2,
  maxConcurrentStreams: 0x3,
  initialWindowSize: 0x4,
  maxFrameSize: 0x5,
  maxHeaderListSize: 0x6,
} as const;

/** Returns the payload of a SETTINGS frame. */
export function encodeSettings(settings: Partial<Settings>): Buffer {
  const entries = Object.entries(settings) as [keyof Settings, number | boolean][];
  const payload = Buffer.alloc(entries.length * 6);
  for (const [index, [name, value]] of entries.entries()) {
    payload.writeUInt16BE(ids[name], index * 6);
    payload.writeUInt32BE(Number(value), index * 6 + 2);
  }
  return payload;
}

/**
 * Returns `before` with the changes in the payload from `start` to `end`. Throws a
 * `ConnectionError` for an invalid value.
 */
export function applySettings(before: Settings, bytes: Buffer, start: number, end: number): Settings {
  const after: { -readonly [K in keyof Settings]: Settings[K] } = { ...before };
  for (let at = start; at < end; at += 6) {
    const value = bytes.readUInt32BE(at + 2);
    switch (bytes.readUInt16BE(at)) {
      case ids.headerTableSize:
        after.headerTableSize = value;
        break;
      case ids.enablePush:
        if (value > 1)
          throw new ConnectionError(ErrorCode.protocolError, `SETTINGS_ENABLE_PUSH is ${value}, not 0 or 1`);
        after.enablePush = value === 1;
        break;
      case ids.maxConcurrentStreams:
        after.maxConcurrentStreams = value;
        break;
      case ids.initialWindowSize:
        if (value > maxWindow) {
          throw new ConnectionError(
            ErrorCode.flowControlError,
            `SETTINGS_INITIAL_WINDOW_SIZE is ${value}, above 2^31-1`,
          );
        }
        after.initialWindowSize = value;
        break;
      case ids.maxFrameSize:
        if (value < defaultMaxFrameSize || value > 2 ** 24 - 1) {
          throw new ConnectionError(ErrorCode.protocolError, `SETTINGS_MAX_FRAME_SIZE is ${value}, not 2^14 to 2^24-1`);
        }
        after.maxFrameSize = value;
        break;
      case ids.maxHeaderListSize:
        after.maxHeaderListSize = value;
        break;
      default: // Unknown settings are ignored.
    }
  }
  return after;
}
