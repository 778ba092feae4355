/** Operators as processes of this machine, each behind a proxy in front of the API server. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { sleep } from "@plumbline/concurrency";
import { type ApiProxy, type ApiServer, proxyToApi } from "@plumbline/tools-engines";
import type { Reach } from "../reach.ts";

const root = resolve(import.meta.dirname, "../../../../..");
/** A process that has ended starts again after this time, as the kubelet does at first. */
const restartMs = 1_000;

export interface LocalOperator {
  readonly identity: string;
  readonly proxy: ApiProxy;
  /** The process that runs now. */
  readonly pid: number;
  /** The exit codes of processes that have ended, and null for those that were killed. */
  readonly codes: readonly (number | null)[];
  /** Writes of this operator, without those of leases. */
  writes(): ApiProxy["requests"];
  /** Sends a signal to the process. */
  kill(signal: NodeJS.Signals): void;
  /** Starts a process that has ended again, from now on or no longer. */
  isRestarted: boolean;
}

export interface LocalOperators extends AsyncDisposable {
  readonly all: readonly LocalOperator[];
  /** Resolves with the operator that holds the Lease, and the one that does not. */
  leader(): Promise<readonly [LocalOperator, LocalOperator]>;
  /** Returns the holder in the Lease. */
  holder(): Promise<string>;
}

/** Starts two operators for a namespace. Disposing kills them. */
export async function startLocalOperators(reach: Reach, namespace: string, identities: readonly [string, string]) {
  const folder = mkdtempSync(join(tmpdir(), "plumbline-operators-"));
  const server = await apiServer(reach);
  const stop = new AbortController();
  await using opening = new AsyncDisposableStack();
  opening.defer(() => rmSync(folder, { recursive: true }));
  const all: LocalOperator[] = [];
  for (const identity of identities) {
    const proxy = opening.use(await proxyToApi(async () => server));
    const kubeconfig = join(folder, `${identity}.json`);
    writeFileSync(kubeconfig, JSON.stringify(kubeconfigOf(proxy.url, namespace)));
    const env = {
      ...process.env,
      OPERATOR_KUBECONFIG: kubeconfig,
      OPERATOR_IDENTITY: identity,
      OPERATOR_NAMESPACES: namespace,
      OPERATOR_OPS_PORT: "0",
      OPERATOR_TELEMETRY_LOG_LEVEL: "error",
    };
    const run = () =>
      spawn(process.execPath, ["-C", "source", "apps/operator/src/main.ts"], { cwd: root, env, stdio: "ignore" });
    let child: ChildProcess = run();
    const codes: (number | null)[] = [];
    const one = {
      identity,
      proxy,
      get pid() {
        return child.pid ?? 0;
      },
      codes,
      writes: () => proxy.requests.filter(({ method, path }) => method !== "GET" && !path.includes("/leases")),
      kill: (signal: NodeJS.Signals) => void child.kill(signal),
      isRestarted: true,
    };
    const supervising = (async () => {
      while (!stop.signal.aborted) {
        const [code] = (await once(child, "exit")) as [number | null];
        codes.push(code);
        await sleep(restartMs);
        while (!one.isRestarted && !stop.signal.aborted) await sleep(100);
        if (!stop.signal.aborted) child = run();
      }
    })();
    opening.defer(async () => {
      stop.abort();
      child.kill("SIGKILL");
      await supervising;
    });
    all.push(one);
  }
  const opened = opening.move();
  const holder = async () => {
    const path = ["--namespace", namespace, "get", "lease", "plumbline-operator", "--ignore-not-found"];
    return await reach.kubectl([...path, "--output", "jsonpath={.spec.holderIdentity}"]);
  };
  const operators: LocalOperators = {
    all,
    holder,
    async leader() {
      const name = await holder();
      const [leads] = all.filter(({ identity }) => identity === name);
      const [waits] = all.filter(({ identity }) => identity !== name);
      if (leads === undefined || waits === undefined) throw new Error(`the lease is held by "${name}"`);
      return [leads, waits];
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
  return operators;
}

/** Returns the share of one processor that a process has used, between two calls of the result. */
export function recordCpu(pid: number): () => number {
  const ticks = () => {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /, "")
      .split(" ");
    return Number(fields[11]) + Number(fields[12]);
  };
  const began = performance.now();
  const before = ticks();
  // A tick is 10 ms on every Linux.
  return () => ((ticks() - before) * 10) / (performance.now() - began);
}

async function apiServer(reach: Reach): Promise<ApiServer> {
  const view = JSON.parse(
    await reach.kubectl(["config", "view", "--raw", "--minify", "--flatten", "--output", "json"]),
  ) as {
    readonly clusters: readonly { readonly cluster: Readonly<Record<string, string>> }[];
    readonly users: readonly { readonly user: Readonly<Record<string, string>> }[];
  };
  const cluster = view.clusters[0]?.cluster ?? {};
  const user = view.users[0]?.user ?? {};
  const pem = (text: string | undefined) => (text === undefined ? undefined : Buffer.from(text, "base64").toString());
  return {
    url: cluster["server"] ?? "",
    ca: pem(cluster["certificate-authority-data"]),
    certificate: pem(user["client-certificate-data"]),
    key: pem(user["client-key-data"]),
    token: user["token"],
  };
}

function kubeconfigOf(server: string, namespace: string) {
  return {
    "current-context": "proxy",
    contexts: [{ name: "proxy", context: { cluster: "proxy", namespace } }],
    clusters: [{ name: "proxy", cluster: { server } }],
    users: [],
  };
}
