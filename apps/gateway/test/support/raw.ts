import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** A connection on which a test writes bytes as they are. */
export interface RawConnection extends Disposable {
  readonly socket: Socket;
  readonly write: (text: string) => void;
  /** Resolves with all that came, once it matches or the server has closed. */
  readonly received: (pattern: RegExp) => Promise<string>;
  /** Resolves with all that came once the server has closed. */
  readonly closed: () => Promise<string>;
}

/** Opens a connection to a port of this machine, from an address of the loopback network. */
export async function rawConnection(port: number, localAddress = "127.0.0.1"): Promise<RawConnection> {
  const socket = connect({ port, host: "127.0.0.1", localAddress });
  let text = "";
  let ended = false;
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    text += chunk;
    socket.emit("more");
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    ended = true;
    socket.emit("more");
  });
  await once(socket, "connect");
  const until = async (done: () => boolean): Promise<string> => {
    const signal = AbortSignal.timeout(15_000);
    while (!done()) await once(socket, "more", { signal });
    return text;
  };
  return {
    socket,
    write: (bytes) => void socket.write(bytes, "latin1"),
    received: (pattern) => until(() => ended || pattern.test(text)),
    closed: () => until(() => ended),
    [Symbol.dispose]: () => void socket.destroy(),
  };
}

/** Returns the status of the first answer, and its body if that is JSON. */
export function answerIn(text: string): { status: number; problem: Record<string, unknown> } {
  const [head = "", body = ""] = text.split("\r\n\r\n");
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1]);
  return { status, problem: body.startsWith("{") ? (JSON.parse(body) as Record<string, unknown>) : {} };
}
