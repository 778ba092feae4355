import { isCancelledBy } from "./is-cancelled-by.ts";
import { listenForStop, type StopRequests } from "./stop-requests.ts";

export interface RunOptions {
  /**
   * The longest shutdown in milliseconds, from the signal on. A process still running then exits
   * with code 1.
   */
  readonly graceMs: number;
  /** Called with the reason for exit code 1. Prints to standard error by default. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/**
 * Runs the life of a process. `main` opens its resources with `await using`, waits for `signal` and
 * returns, and the resources close in reverse. SIGTERM, SIGINT and the exit of a parent that holds
 * an IPC channel abort `signal`. That means *take no new work*: never pass it to work in flight.
 *
 * The exit code is 0 when `main` returns or ends because of the signal. It is 1 when `main` throws,
 * on an uncaught exception or unhandled rejection (at once, since the state is unknown), on a
 * second signal, and after `graceMs`. Nothing else should call `process.exit`.
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
    again: (name) => die(new Error(`received a second ${name}: exiting at once`)),
  });
  // Waiting for a signal does not keep Node alive. Without this, a main that only waits would exit
  // with code 13.
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

/** The limit on the time to shut down. It ends a process that takes longer. */
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
      this.#die(
        new Error(`the process did not exit within ${this.#ms} ms; still open: ${open.join(", ") || "timers"}`),
      );
    }, this.#ms);
  }

  /**
   * Starts the limit after `main` has ended. A forgotten socket may keep the process alive, but
   * this timer must not.
   */
  watchTheEnd(): void {
    this.start();
    this.#timer?.unref();
  }
}

/** Wraps `report` so that its own failure does not hide the error it was called with. */
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
