export interface StopListener {
  first(name: string): void;
  again(name: string): void;
}

export interface StopRequests {
  /**
   * Releases the parent's channel, so that it does not keep the process alive. A further signal
   * still ends it.
   */
  release(): void;
}

/**
 * One Ctrl-C can arrive twice: from the terminal and from npm. A signal within this time of the
 * first is its echo.
 */
const echoMs = 250;

/** Listens for SIGTERM, SIGINT, and the exit of a parent that shares an IPC channel. */
export function listenForStop(listener: StopListener): StopRequests {
  let firstAt: number | undefined;
  const request = (name: string): void => {
    const now = performance.now();
    if (firstAt === undefined) {
      firstAt = now;
      listener.first(name);
    } else if (now - firstAt > echoMs) listener.again(name);
  };
  for (const name of ["SIGTERM", "SIGINT"] as const) process.on(name, () => request(name));

  const orphaned = (): void => {
    // Never a second request: a parent that was asked to stop too may only be faster.
    if (firstAt === undefined) request("the parent process exited");
  };
  if (process.channel) process.once("disconnect", orphaned);

  return {
    release() {
      process.off("disconnect", orphaned);
      process.channel?.unref();
    },
  };
}
