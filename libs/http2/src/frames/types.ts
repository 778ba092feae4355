/** The frame types of RFC 9113, 6. Other types are ignored. */
export const FrameType = {
  data: 0x0,
  headers: 0x1,
  priority: 0x2,
  rstStream: 0x3,
  settings: 0x4,
  pushPromise: 0x5,
  ping: 0x6,
  goAway: 0x7,
  windowUpdate: 0x8,
  continuation: 0x9,
} as const;

export const Flag = {
  /** A flag of DATA and HEADERS. */
  endStream: 0x1,
  /** A flag of SETTINGS and PING, with the same bit. */
  ack: 0x1,
  endHeaders: 0x4,
  padded: 0x8,
  priority: 0x20,
} as const;

export const headerLength = 9;
/** The default of SETTINGS_MAX_FRAME_SIZE, which we keep. */
export const defaultMaxFrameSize = 16_384;
export const maxWindow = 2 ** 31 - 1;
export const maxStreamId = 2 ** 31 - 1;

/** The first octets that a client sends (RFC 9113, 3.4). */
export const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");
