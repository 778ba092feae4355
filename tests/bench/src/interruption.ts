import { setMaxListeners } from "node:events";

const stop = new AbortController();

/** Aborts at Ctrl-C or SIGTERM: whatever runs then ends, and what it started is disposed. */
export const interrupted: AbortSignal = stop.signal;
setMaxListeners(0, interrupted); // Each process and each load listens.

/** The exit code of a shell's command that Ctrl-C ended. */
export const interruptedCode = 130;
/** The time to end in, by which each process has got SIGKILL after SIGTERM. */
const endMs = 15_000;

/** Makes Ctrl-C and SIGTERM end the bench in good order, and a third of them at once. */
export function endOnSignals(): void {
  let signals = 0;
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      // npm passes Ctrl-C on, so the terminal's own comes twice.
      if (++signals > 2) process.exit(interruptedCode);
      if (signals > 1) return;
      console.error("Interrupted: ending what was started.");
      setTimeout(() => process.exit(interruptedCode), endMs).unref();
      stop.abort(new Error("the bench was interrupted"));
    });
  }
}
