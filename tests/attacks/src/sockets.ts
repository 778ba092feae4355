import { connect, type Socket } from "node:net";
import { sleep } from "@plumbline/concurrency";

/** The attacker's address. All of 127.0.0.0/8 is this machine on Linux. */
export const attacker = "127.0.0.66";

/** A port of this machine, or an address of a container to which the attacker is a container. */
export type Destination = number | { readonly host: string; readonly port: number };

/** Opens a connection from the attacker's address, or another one. Errors close it in silence. */
export function open(to: Destination, localAddress = attacker): Socket {
  const socket = connect(typeof to === "number" ? { port: to, host: "127.0.0.1", localAddress } : to);
  socket.on("error", () => {});
  return socket;
}

/** Opens many connections, each with first bytes. Disposing closes all of them. */
export async function openMany(
  to: Destination,
  count: number,
  first: string | Uint8Array | (() => string),
  onData?: (text: string) => void,
) {
  const sockets: Socket[] = [];
  for (let index = 0; index < count; index++) {
    const socket = open(to);
    socket.on("data", (chunk: Buffer) => onData?.(chunk.toString("latin1")));
    socket.write(typeof first === "function" ? first() : first);
    sockets.push(socket);
    if (index % 50 === 49) await sleep(25);
  }
  await sleep(500);
  return {
    sockets,
    isOpen: () => sockets.filter((socket) => !socket.destroyed && socket.readyState === "open").length,
    [Symbol.dispose]: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Sends bytes on one connection and returns what comes until it closes, or for `ms`. */
export function ask(port: number, bytes: string, ms = 5_000, localAddress = attacker): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let text = "";
  const socket = open(port, localAddress);
  const timer = setTimeout(() => socket.destroy(), ms);
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
    if (/^HTTP\/1\.1 \d{3} [^]*\r\n\r\n/.test(text)) socket.destroy();
  });
  socket.on("close", () => {
    clearTimeout(timer);
    resolve(text);
  });
  socket.write(bytes);
  return promise;
}

/**
 * Sends a request from an address and reads the whole answer. Returns its status, or "no answer"
 * after ten seconds. The request must ask for its connection to be closed.
 */
export function readWhole(port: number, bytes: string, localAddress: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = open(port, localAddress);
  let head = "";
  socket.on("data", (chunk: Buffer) => {
    if (head.length < 12) head += chunk.toString("latin1", 0, 12);
  });
  socket.setTimeout(10_000, () => socket.destroy());
  socket.on("close", () => resolve(statusOf(head)));
  socket.write(bytes);
  return promise;
}

export const statusOf = (text: string) => /^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? "no answer";

/** Counts by name: `{"200":12,"429":3}`. */
export class Tally {
  readonly #counts = new Map<string, number>();

  add(name: string | number): void {
    this.#counts.set(String(name), (this.#counts.get(String(name)) ?? 0) + 1);
  }

  of(name: string | number): number {
    return this.#counts.get(String(name)) ?? 0;
  }

  get total(): number {
    return [...this.#counts.values()].reduce((sum, one) => sum + one, 0);
  }

  toString(): string {
    const sorted = [...this.#counts].toSorted(([a], [b]) => a.localeCompare(b));
    return sorted.length === 0 ? "nothing" : sorted.map(([name, count]) => `${count} x ${name}`).join(", ");
  }
}
