import { int64 } from "./scalar.ts";
import { needsGeneralPath, type Wire, wireTypes } from "./wire.ts";

/** The range of RFC 3339: from 0001-01-01T00:00:00Z to 9999-12-31T23:59:59Z. */
const firstSecond = -62_135_596_800;
const lastSecond = 253_402_300_799;

const secondsTag = (1 << 3) | wireTypes.varint;
const nanosTag = (2 << 3) | wireTypes.varint;

/** Reads a google.protobuf.Timestamp as JSON text. */
export function readTimestamp(wire: Wire): string {
  const end = wire.end();
  let seconds = 0;
  let nanos = 0;
  while (wire.pos < end) {
    const tag = wire.tag();
    if (tag === secondsTag) seconds = Number(int64(wire));
    else if (tag === nanosTag) nanos = wire.varint32() | 0;
    else throw needsGeneralPath;
  }
  if (wire.pos !== end || seconds < firstSecond || seconds > lastSecond || nanos < 0 || nanos > 999_999_999)
    throw needsGeneralPath;
  return `"${dateTime(new Date(seconds * 1000))}${fraction(nanos)}Z"`;
}

/** Formats a time by hand: `toISOString` takes longer than all the rest of a response. */
function dateTime(time: Date): string {
  const date = `${String(time.getUTCFullYear()).padStart(4, "0")}-${two(time.getUTCMonth() + 1)}-${two(time.getUTCDate())}`;
  return `${date}T${two(time.getUTCHours())}:${two(time.getUTCMinutes())}:${two(time.getUTCSeconds())}`;
}

function two(value: number): string {
  return value < 10 ? `0${value}` : `${value}`;
}

/** Formats nanoseconds with 0, 3, 6 or 9 digits. */
function fraction(nanos: number): string {
  if (nanos === 0) return "";
  const digits = `.${String(nanos).padStart(9, "0")}`;
  if (nanos % 1_000_000 === 0) return digits.slice(0, 4);
  return nanos % 1000 === 0 ? digits.slice(0, 7) : digits;
}
