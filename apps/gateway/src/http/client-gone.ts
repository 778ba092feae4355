import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { onAbort } from "@plumbline/concurrency";

const signals = new WeakMap<Socket, AbortSignal>();

/**
 * Returns a signal that aborts when the client of a request disconnects. Requests on one connection
 * share one signal: no response on it can be read any more.
 */
export function clientGone({ socket }: IncomingMessage): AbortSignal {
  const known = signals.get(socket);
  if (known !== undefined) return known;
  const controller = new AbortController();
  const abort = (): void => controller.abort(new DOMException("the client disconnected", "AbortError"));
  if (socket.destroyed) abort();
  else socket.once("close", abort);
  // A permanent listener: otherwise each call would add the first listener and remove the last one,
  // which is slow.
  onAbort(controller.signal, () => {});
  signals.set(socket, controller.signal);
  return controller.signal;
}
