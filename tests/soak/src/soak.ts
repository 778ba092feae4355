import { setTimeout as sleep } from "node:timers/promises";
import type { TransportName } from "@plumbline/rpc";
import type { Census } from "./census.ts";
import { expectedOf } from "./load.ts";
import { type Counts, problemsOf } from "./outcomes.ts";
import { paceOf } from "./pace.ts";
import { type ClientProtocol, Remote, type ServerProtocol } from "./processes.ts";
import type { Sample } from "./sample.ts";
import type { Stall } from "./stalls.ts";
import { censusProblems, judge, leastJudged, type Timed, type Verdict } from "./verdict.ts";

export interface SoakOptions {
  readonly transport: TransportName;
  readonly totalMs: number;
  /** The shortest time between two samples. */
  readonly everyMs: number;
  /** The fewest calls between two samples; a busy machine takes longer. The default is none. */
  readonly everyCalls?: number | undefined;
  readonly perSecond: number;
  /** A side that leaks every call, to show that the soak notices. */
  readonly leak?: Side | undefined;
  /** Ends the load early; the samples so far are judged. */
  readonly signal?: AbortSignal | undefined;
  readonly onSample?: ((samples: Readonly<Record<Side, Timed>>) => void) | undefined;
}

export const sides = ["client", "server"] as const;
export type Side = (typeof sides)[number];

export interface SoakReport {
  readonly transport: TransportName;
  readonly node: string;
  readonly hours: number;
  readonly made: number;
  /** Due calls that were skipped, because too many were in flight. */
  readonly heldBack: number;
  readonly samples: Readonly<Record<Side, readonly Timed[]>>;
  readonly verdicts: Readonly<Record<Side, readonly Verdict[]>>;
  readonly counts: Counts;
  /** The objects of the http2 transport at the end, at rest. */
  readonly census: Readonly<Record<Side, Census>>;
  /** Unexpected outcomes, missing ones, and objects that remain at rest. */
  readonly problems: readonly string[];
  /** The times in which a process stood still: calls may have ended by their deadline in them. */
  readonly stalls: Readonly<Record<Side, readonly Stall[]>>;
  /** The first unexpected outcomes, with their errors. */
  readonly surprises: readonly string[];
  readonly isFlat: boolean;
  readonly ok: boolean;
}

/**
 * Runs a client and a server as separate processes, and judges their memory. Rejects if one of them
 * ends by itself.
 */
export async function soak(options: SoakOptions): Promise<SoakReport> {
  const { transport, totalMs, everyMs, everyCalls = 0, perSecond, leak, signal } = options;
  if (totalMs / everyMs < 2 * leastJudged) {
    throw new RangeError(
      `at least ${2 * leastJudged} samples are needed: a longer time, or a shorter one between them`,
    );
  }
  await using server = new Remote<ServerProtocol>("server");
  await using client = new Remote<ClientProtocol>("client");
  const pace = paceOf(totalMs);
  const ports = await server.ask("begin", { transport, pace, leaks: leak === "server" });
  await client.ask("begin", { transport, pace, leaks: leak === "client", ports, perSecond });

  /** Stops the client first: its calls in flight may need a server. */
  const rest = async (): Promise<void> => {
    await client.ask("rest");
    await server.ask("rest");
  };
  const samples: Record<Side, Timed[]> = { client: [], server: [] };
  const began = performance.now();
  const hours = (): number => (performance.now() - began) / 3_600_000;
  for (let count = 1; count * everyMs <= totalMs; count++) {
    await sleep(Math.max(1, began + count * everyMs - performance.now()), undefined, { signal }).catch(() => {});
    const before = samples.client.at(-1)?.made ?? 0;
    while ((await client.ask("made")) < before + everyCalls) {
      if (signal?.aborted) break;
      await sleep(20);
    }
    if (signal?.aborted) break;
    await rest();
    const at = hours();
    const { made, ...ofClient } = await client.ask("sample");
    const ofServer = await server.ask("sample");
    samples.client.push({ ...ofClient, made, hours: at });
    samples.server.push({ ...ofServer, made, hours: at });
    options.onSample?.({ client: samples.client.at(-1)!, server: samples.server.at(-1)! });
    await server.ask("go");
    await client.ask("go");
  }
  await rest();
  const census = { client: await client.ask("census"), server: await server.ask("census") };
  const { counts, surprises, heldBack, stalls: ofClient } = await client.ask("end");
  const { stalls: ofServer } = await server.ask("end");

  const verdicts = { client: judge(samples.client), server: judge(samples.server) };
  const problems = [
    ...problemsOf(counts, expectedOf()),
    ...sides.flatMap((side) => censusProblems(side, census[side])),
  ];
  const isFlat = sides.every((side) => verdicts[side].every((verdict) => verdict.isFlat));
  return {
    transport,
    node: process.version,
    hours: hours(),
    made: samples.client.at(-1)?.made ?? 0,
    heldBack,
    samples,
    verdicts,
    census,
    counts,
    stalls: { client: ofClient, server: ofServer },
    problems,
    surprises,
    isFlat,
    ok: isFlat && problems.length === 0,
  };
}

/** Returns the share of one core that a side used, over all samples. */
export function coreShare(samples: readonly (Sample & { readonly hours: number })[]): number {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined || first === last) return 0;
  return (last.cpuMs - first.cpuMs) / ((last.hours - first.hours) * 3_600_000);
}
