import { isCancelledBy } from "./is-cancelled-by.ts";
import { listenForStop, type StopRequests } from "./stop-requests.ts";

export interface RunOptions {
  /** From the signal to the end, in milliseconds. A process that is still there then ends with code 1. */
  readonly graceMs: number;
  /** Told why the process will end with code 1. Prints to standard error when not given. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/**
 * The life of a process. `main` opens what it needs with `await using`, waits for `signal`, and returns; what it opened
 * closes in reverse. SIGTERM, SIGINT, and the end of a parent that holds an IPC channel abort `signal`, which means
 * *take no new work*: never hand it to work that is running.
 *
 * Exit code 0 when `main` returns, or ends because of the signal. Code 1 when it throws, on an uncaught exception or an
 * unhandled rejection (at once: nobody knows what state is left), on a second signal, and when `graceMs` are over.
 * Nothing else should call `process.exit`.
 */
export async function run(main: (signal: AbortSignal) => Promise<void>, options: RunOptions): Promise<void> {
  const report = safely(options.onError ?? print);
  const die = (error: unknown): void => {
    report(error);
    process.exit(1);
  };
  const stop = new AbortController();
  const grace = new Grace(options.graceMs, die);

  process.on("uncaughtException", die); // Node turns unhandled rejections into these.
  const requests: StopRequests = listenForStop({
    first(name) {
      grace.start();
      stop.abort(new DOMException(`the process was asked to stop (${name})`, "AbortError"));
    },
    again: (name) => die(new Error(`${name} came again: ending at once`)),
  });
  // Waiting for a signal does not keep Node alive: without this a main that only waits would end with code 13.
  const alive = setInterval(() => {}, 2 ** 30);

  try {
    await main(stop.signal);
  } catch (error) {
    if (!isCancelledBy(stop.signal, error)) {
      process.exitCode = 1;
      report(error);
    }
  } finally {
    clearInterval(alive);
    requests.release();
    grace.watchTheEnd();
  }
}

/** Ends a process that takes too long to end. */
class Grace {
  readonly #ms: number;
  readonly #die: (error: unknown) => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(ms: number, die: (error: unknown) => void) {
    this.#ms = ms;
    this.#die = die;
  }

  start(): void {
    this.#timer ??= setTimeout(() => {
      const open = process.getActiveResourcesInfo().filter((kind) => kind !== "Timeout");
      this.#die(new Error(`the process did not end within ${this.#ms} ms; still open: ${open.join(", ") || "timers"}`));
    }, this.#ms);
  }

  /** `main` is over: a socket someone forgot may now keep the process, but this timer must not. */
  watchTheEnd(): void {
    this.start();
    this.#timer?.unref();
  }
}

/** A reporter that fails must not hide what it was to report. */
function safely(report: (error: unknown) => void): (error: unknown) => void {
  return (error) => {
    try {
      report(error);
    } catch (failure) {
      print(error);
      print(failure);
    }
  };
}

function print(error: unknown): void {
  console.error(error);
}
