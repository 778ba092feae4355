/**
 * The conditions of a start that are checked before anything runs. `npm start` and `npm run doctor`
 * share them.
 */
import { createServer } from "node:net";
import type { PortName, Ports } from "../ports.ts";
import { portHolder } from "./port-holder.ts";

export interface BusyPort {
  readonly name: string;
  readonly port: number;
  readonly problem: string;
}

/**
 * The addresses on which another listener disturbs: ours, all, and the second one of "localhost".
 */
const hosts = ["127.0.0.1", "0.0.0.0", "::1"];

/** Rejects with a line for each port that something else listens on, and what to do. */
export async function checkPorts(ports: Partial<Ports>): Promise<void> {
  const busy = await busyPorts(ports);
  if (busy.length > 0) throw new Error(describeBusy(busy));
}

/** Returns the ports that something else listens on. */
export async function busyPorts(ports: Partial<Ports>): Promise<BusyPort[]> {
  const states = await Promise.all(
    (Object.entries(ports) as [PortName, number][]).map(async ([name, port]) => ({
      name,
      port,
      problem: await problemOf(port),
    })),
  );
  return states.flatMap(({ name, port, problem }) => (problem === undefined ? [] : [{ name, port, problem }]));
}

/** Returns a line for each port, and a last one with what to do. */
export function describeBusy(busy: readonly BusyPort[]): string {
  const lines = busy.map(({ name, port, problem }) => `  ${port} for ${name}: ${problem}`);
  return (
    `${busy.length === 1 ? "A port is" : "Ports are"} not free:\n${lines.join("\n")}\n` +
    "Is the stack running already? Stop the programs that listen there " +
    `(to find one: lsof -i :${busy[0]?.port}), or move the stack: npm start -- --ports-from 20000`
  );
}

async function problemOf(port: number): Promise<string | undefined> {
  for (const host of hosts) {
    const error = await tryListen(port, host);
    if (error === undefined || error.code === "EADDRNOTAVAIL" || error.code === "EAFNOSUPPORT") continue;
    if (error.code !== "EADDRINUSE") return error.message;
    return `${(await portHolder(port)) ?? "something else"} listens there`;
  }
  return undefined;
}

function tryListen(port: number, host: string): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", resolve);
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}
