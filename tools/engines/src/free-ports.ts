import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { createServer } from "node:net";

/**
 * Below the ports of outgoing connections (Linux from 32768, macOS from 49152), so that none of
 * these takes one.
 */
const lowest = 20_000;
const highest = 32_000;
const attempts = 100;

/** Returns a free port of 127.0.0.1: see freePorts. */
export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  return port as number;
}

/**
 * Returns consecutive ports of 127.0.0.1 on which nothing listens. Other calls, in any process, get
 * other ports until this process ends, so a server on them can be stopped and started again. Throws
 * if there seem to be none.
 */
export async function freePorts(count: number): Promise<readonly number[]> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const first = randomInt(lowest, highest - count);
    const row = Array.from({ length: count }, (_, index) => first + index);
    const claims = await Promise.all(row.map(claim));
    if (!claims.includes(undefined) && (await Promise.all(row.map(isFree))).every(Boolean)) return row;
    for (const release of claims) release?.();
  }
  throw new Error(
    `found no ${count} free ports in a row from ${lowest} to ${highest}: stop the programs that listen there`,
  );
}

/**
 * Claims the UDP port of the same number. That excludes other claims, in any process, and does not
 * affect TCP.
 */
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
