/**
 * The program of the containers on network `edge`: another client, the attacker, or one who looks
 * for a way in. It prints one line of JSON. Built into one file, so that a container needs only
 * Node.
 */
import { connect } from "node:net";
import { beVictims, seedBigPage, type VictimsReport } from "../api.ts";
import type { Assault, Outcome } from "../attack.ts";
import { askPages, leaveAnswers } from "../attacks/answers.ts";
import { sendHeads } from "../attacks/bodies.ts";
import { holdConnections } from "../attacks/connections.ts";
import { holdStreams } from "../attacks/streams.ts";
import { actAs } from "../callers.ts";

export type Role = "seed" | "victim" | "reach" | keyof typeof assaults;

export const assaults = { sendHeads, holdStreams, leaveAnswers, askPages, holdConnections } satisfies Record<
  string,
  Assault
>;

/** An address that is tried, as `host:port`. */
export type Reached = string;

const gateway = { host: "gateway", port: 8080 };
const url = `http://${gateway.host}:${gateway.port}`;

async function play(role: string, args: readonly string[]): Promise<VictimsReport | Outcome | Reached[] | undefined> {
  if (role === "seed") {
    await seedBigPage(url);
    return undefined;
  }
  if (role === "victim") return await beVictims(url, endOfInput());
  if (role === "reach") return await reach(args);
  const [size = "", given] = args;
  return await assaults[role as keyof typeof assaults](gateway, size === "full", given);
}

/** Returns a signal that aborts when the one who started this container closes its input. */
function endOfInput(): AbortSignal {
  const over = new AbortController();
  process.stdin.resume().on("end", () => over.abort());
  return over.signal;
}

/** Returns the addresses that accept a connection within three seconds. */
async function reach(addresses: readonly string[]): Promise<Reached[]> {
  const tried = addresses.map(async (address) => {
    const { promise, resolve } = Promise.withResolvers<Reached[]>();
    const at = address.lastIndexOf(":");
    const socket = connect({ host: address.slice(0, at), port: Number(address.slice(at + 1)), timeout: 3_000 });
    socket.on("connect", () => resolve([address]));
    socket.on("timeout", () => resolve([]));
    socket.on("error", () => resolve([]));
    return await promise.finally(() => socket.destroy());
  });
  return (await Promise.all(tried)).flat();
}

actAs(JSON.parse(process.env["CALLERS"] ?? "[]") as readonly string[]);
const [role = "", ...args] = process.argv.slice(2);
const report = await play(role, args);
process.stdout.write(`${JSON.stringify(report ?? null)}\n`, () => process.exit());
