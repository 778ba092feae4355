/** A time in which a process did not run, or was busy with one thing. */
export interface Stall {
  /** The minutes from the start of the watch to the end of the stall. */
  readonly minute: number;
  readonly ms: number;
}

const lookMs = 100;
/** The shortest delay that counts: no call of the soak must keep a deadline below it. */
const leastMs = 1_000;
const mostKept = 100;

/** A watch over the event loop of this process. The first hundred stalls are kept. */
export class Stalls {
  readonly found: Stall[] = [];

  constructor() {
    const began = performance.now();
    let before = began;
    const look = (): void => {
      const now = performance.now();
      const ms = now - before - lookMs;
      before = now;
      if (ms >= leastMs && this.found.length < mostKept) this.found.push({ minute: (now - began) / 60_000, ms });
    };
    setInterval(look, lookMs).unref();
  }
}
