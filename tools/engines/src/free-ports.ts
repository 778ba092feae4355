import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { createServer } from "node:net";

/** Below the ports systems give to outgoing connections (Linux from 32768, macOS from 49152): none of those takes one of ours. */
const lowest = 20_000;
const highest = 32_000;
const attempts = 100;

/** A port of 127.0.0.1 nothing listens on: see freePorts. */
export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  return port as number;
}

/**
 * Ports of 127.0.0.1, in a row, on which nothing listens. Whoever else asks here is given others until this process ends,
 * so what listens on them can be stopped and started again. Throws when there seem to be none.
 */
export async function freePorts(count: number): Promise<readonly number[]> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const first = randomInt(lowest, highest - count);
    const row = Array.from({ length: count }, (_, index) => first + index);
    const claims = await Promise.all(row.map(claim));
    if (!claims.includes(undefined) && (await Promise.all(row.map(isFree))).every(Boolean)) return row;
    for (const release of claims) release?.();
  }
  throw new Error(`found no ${count} free ports in a row from ${lowest} to ${highest}: end what listens there`);
}

/** The UDP port of the same number, held: it keeps off who claims it too, in any process, and hinders nobody on TCP. */
function claim(port: number): Promise<(() => void) | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket("udp4");
    socket.once("error", () => resolve(undefined));
    socket.bind({ port, address: "127.0.0.1", exclusive: true }, () => {
      socket.unref();
      resolve(() => socket.close());
    });
  });
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
