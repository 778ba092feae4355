/**
 * Loaded before a program by `--import`: ends it when the supervisor is gone, however that went.
 * The supervisor holds the other end of standard input, which the kernel closes even after SIGKILL.
 * SIGTERM first, so the program drains.
 */
process.stdin.resume();
process.stdin.on("error", () => {});
process.stdin.on("close", () => process.kill(process.pid, "SIGTERM"));
process.stdin.unref?.();
