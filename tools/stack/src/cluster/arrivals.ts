/** The load of tests/load that a verb runs against the gateway's Service. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { text } from "node:stream/consumers";
import { sleep } from "@plumbline/concurrency";
import { release } from "./charts.ts";
import type { ClusterStack } from "./open-cluster.ts";

const root = resolve(import.meta.dirname, "../../../..");

/** A fault, with the time at which its request was sent. */
export interface Failure {
  readonly at: string;
  readonly problem: string;
}

/** The report of tests/load/src/arrivals. */
export interface ArrivalsReport {
  readonly sent: number;
  readonly failed: number;
  readonly ms: { readonly p50: number; readonly p99: number; readonly max: number };
  readonly failures: readonly Failure[];
  readonly watches: {
    readonly begun: number;
    readonly ended: number;
    readonly reconnected: number;
    readonly broken: number;
    readonly unplaced: number;
    readonly failures: readonly Failure[];
  };
  readonly accepted: readonly string[];
}

/** A load that runs. Disposing ends it without a report. */
export interface Arrivals extends AsyncDisposable {
  /** Ends the load, and returns its report after the last response. */
  end(): Promise<ArrivalsReport>;
}

export interface ArrivalsOptions {
  readonly url: string;
  readonly rate: number;
  readonly watchers: number;
}

/** Starts a load in a process of its own. It ends with this process. */
export function startArrivals({ url, rate, watchers }: ArrivalsOptions): Arrivals {
  const options = ["--url", url, "--rate", `${rate}`, "--watchers", `${watchers}`];
  const child = spawn(process.execPath, ["-C", "source", "tests/load/src/arrivals/main.ts", ...options], {
    cwd: root,
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = Promise.all([text(child.stdout), once(child, "close")]);
  ended.catch(() => undefined); // Awaited by `end`.
  child.stdin.on("error", () => undefined); // It may have ended.
  return {
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await ended.catch(() => undefined);
    },
    async end() {
      child.stdin.end();
      const [output, [code]] = await ended;
      if (output === "") throw new Error(`the load ended with ${String(code)}, without a report`);
      return JSON.parse(output) as ArrivalsReport;
    },
  };
}

/**
 * Returns the address that clients call: the Service of Envoy, which chooses a gateway for each
 * request, or that of the gateway, which keeps a connection at one pod.
 */
export async function serviceUrl(stack: ClusterStack, envoy = false): Promise<string> {
  const name = `${release}-${envoy ? "envoy" : "gateway"}`;
  return `http://${await stack.kubectl("get", "service", name, "--output", "jsonpath={.spec.clusterIP}")}`;
}

/** Sends a load for a while, without a verdict: the first calls of new pods are slow. */
export async function warmUp(options: ArrivalsOptions, ms: number): Promise<void> {
  await using load = startArrivals(options);
  await sleep(ms);
  await load.end();
}
