import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { onAbort } from "@plumbline/concurrency";

const signals = new WeakMap<Socket, AbortSignal>();

/**
 * Aborts when the client of a request hangs up. One for each connection: whatever is still being answered on it then, nobody
 * will read.
 */
export function clientGone({ socket }: IncomingMessage): AbortSignal {
  const known = signals.get(socket);
  if (known !== undefined) return known;
  const controller = new AbortController();
  const abort = (): void => controller.abort(new DOMException("the client hung up", "AbortError"));
  if (socket.destroyed) abort();
  else socket.once("close", abort);
  // Somebody who always listens: else each call on the connection would be the first to, and the last.
  onAbort(controller.signal, () => {});
  signals.set(socket, controller.signal);
  return controller.signal;
}
