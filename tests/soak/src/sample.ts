import { setImmediate as nextTurn } from "node:timers/promises";

/** The memory and handles of a process after a garbage collection. */
export interface Sample {
  /** Bytes of JavaScript objects. */
  readonly heap: number;
  /** Bytes outside the heap that objects hold, mostly buffers. */
  readonly external: number;
  readonly rss: number;
  /** Handles that keep the event loop alive: sockets, timers, requests in progress. */
  readonly handles: number;
  /** User and system time so far. */
  readonly cpuMs: number;
}

/** Collects the garbage of this process, which needs --expose-gc, and measures the rest. */
export async function takeSample(): Promise<Sample> {
  if (gc === undefined) throw new Error("a sample needs node --expose-gc");
  // The second collection frees the objects of finalizers and weak references.
  gc();
  await nextTurn();
  gc();
  const { heapUsed, external, rss } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  const handles = process.getActiveResourcesInfo().length;
  return { heap: heapUsed, external, rss, handles, cpuMs: (user + system) / 1_000 };
}
