import type { Http2Stream } from "@plumbline/http2";

/**
 * Calls `onStall` once a client has taken nothing of an answer for `stallMs`, unless disposed
 * before. Flow control lets a client wait as long as it likes, so each answer that waits needs a
 * bound.
 */
export function watchUnsent(
  stream: Pick<Http2Stream, "unsent" | "isClosed">,
  stallMs: number,
  onStall: () => void,
): Disposable {
  let before = stream.unsent;
  const look = (): void => {
    const { unsent, isClosed } = stream;
    if (isClosed || unsent === 0) return;
    if (unsent === before) return onStall();
    before = unsent;
    timer = setTimeout(look, stallMs).unref();
  };
  let timer = setTimeout(look, stallMs).unref();
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}
