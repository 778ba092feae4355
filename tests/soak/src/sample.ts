import { setImmediate as nextTurn } from "node:timers/promises";

/** What a process holds once its garbage is collected. */
export interface Sample {
  /** Octets of JavaScript objects. */
  readonly heap: number;
  /** Octets outside the heap that objects hold: buffers, mostly. */
  readonly external: number;
  readonly rss: number;
  /** What keeps the event loop alive: sockets, timers, requests under way. */
  readonly handles: number;
  /** User and system time so far. */
  readonly cpuMs: number;
}

/** Collects the garbage of this process, which needs --expose-gc, and measures what is left. */
export async function takeSample(): Promise<Sample> {
  if (gc === undefined) throw new Error("a sample needs node --expose-gc");
  // What finalizers and weak references let go of is collected by the second.
  gc();
  await nextTurn();
  gc();
  const { heapUsed, external, rss } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  const handles = process.getActiveResourcesInfo().length;
  return { heap: heapUsed, external, rss, handles, cpuMs: (user + system) / 1_000 };
}
