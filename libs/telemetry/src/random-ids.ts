const random32 = (): number => (Math.random() * 2 ** 32) >>> 0;
const shared = Buffer.allocUnsafe(16);

/** Returns a new trace id: 32 hexadecimal digits, not all of them zero. */
export function newTraceId(): string {
  shared.writeUInt32BE(random32(), 8);
  shared.writeUInt32BE(random32(), 12);
  return randomHex(16);
}

/** Returns a new span id: 16 hexadecimal digits, not all of them zero. */
export function newSpanId(): string {
  return randomHex(8);
}

function randomHex(bytes: number): string {
  shared.writeUInt32BE(random32(), 0);
  // W3C trace context forbids an id of zeros.
  shared.writeUInt32BE(random32() || 1, 4);
  return shared.toString("hex", 0, bytes);
}
