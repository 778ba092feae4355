import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { EngineError } from "../engine-error.ts";
import { freePort } from "../free-ports.ts";
import { spawnSupervised } from "../supervised.ts";

const startTimeoutMs = 10_000;

/** Returns true if this machine has a redis-server. */
export function hasRedisServer(): boolean {
  return spawnSync("redis-server", ["--version"]).status === 0;
}

/**
 * Starts the redis-server on the PATH, on 127.0.0.1 and without files on disk. It ends with this
 * process.
 */
export async function startRedis(): Promise<AsyncDisposable & { readonly url: string }> {
  const port = await freePort();
  const args = ["--bind", "127.0.0.1", "--port", String(port), "--save", "", "--appendonly", "no"];
  const child = spawnSupervised({ prefix: [] }, "redis-server", args, { environment: {}, lastSignal: "INT" });
  child.stderr.resume();
  const exited = once(child, "exit");
  const until = performance.now() + startTimeoutMs;
  while (!(await answers(port))) {
    if (child.exitCode !== null || performance.now() > until) {
      child.kill("SIGKILL");
      throw new EngineError("start_failed", `redis-server did not answer on port ${port}.`);
    }
    await sleep(20);
  }
  return {
    url: `redis://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGTERM");
      await exited;
    },
  };
}

/**
 * Returns true if the server answers PING. An open port is not enough: a server may still say
 * LOADING.
 */
async function answers(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    socket.setTimeout(1_000, () => socket.destroy());
    socket.write("PING\r\n");
    const [answer] = (await once(socket, "data")) as [Buffer];
    return answer.toString().startsWith("+PONG");
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
