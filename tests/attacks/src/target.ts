import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import {
  type Entry,
  freeStackPorts,
  openProcesses,
  ownServices,
  settingsPrefix,
  type Transport,
} from "@plumbline/tools-stack";
import type { Target } from "./attack.ts";

const root = resolve(import.meta.dirname, "../../..");

export interface RunningTarget extends Target, AsyncDisposable {
  /** The programs of the stack, and Postgres. */
  readonly processes: readonly { readonly name: string; readonly pid: number }[];
  /** Returns the number of times that a program died and was started again. */
  readonly restarts: () => number;
}

export interface TargetOptions {
  /** "source" by default. */
  readonly entry?: Entry;
  /** Settings that every service gets. */
  readonly environment?: Readonly<Record<string, string>>;
}

/**
 * Starts the embedded stack on free ports, with a data folder of its own. No trace is sampled, and
 * a collector in this process counts the spans that arrive all the same. The
 * services trust 127.0.0.1 only, so an attacker's address is that of a stranger. The gateway asks
 * for no tokens, since the address alone sets an attacker apart from other clients here.
 */
export async function openTarget(
  transport: Transport,
  { entry = "source", environment: extra = {} }: TargetOptions = {},
): Promise<RunningTarget> {
  await using opening = new AsyncDisposableStack();
  let exports = 0;
  const collector = createServer((request, response) => {
    if (request.url === "/v1/traces") exports += 1;
    request.resume().on("end", () => response.end());
  });
  collector.listen(0, "127.0.0.1");
  await once(collector, "listening");
  opening.defer(() => {
    collector.closeAllConnections();
    collector.close();
  });
  const endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
  const environment = {
    ...Object.fromEntries(
      ownServices.flatMap(({ name, http }) => [
        [`${settingsPrefix(name)}_TELEMETRY_OTLP_ENDPOINT`, endpoint],
        [`${settingsPrefix(name)}_TELEMETRY_SAMPLE_RATIO`, "0"],
        ...(http === true ? [] : [[`${settingsPrefix(name)}_RPC_TRUSTED_PEERS`, "127.0.0.1"]]),
      ]),
    ),
    ...extra,
  };
  const dataDir = mkdtempSync(join(tmpdir(), "plumbline-attacks-"));
  opening.defer(() => rmSync(dataDir, { recursive: true, force: true }));
  const ports = await freeStackPorts();
  const options = { root, dataDir, ports, transport, entry, environment, tokens: false, plain: true } as const;
  const stack = await openProcesses({ ...options, onLine: () => {} });
  opening.defer(() => stack[Symbol.asyncDispose]());
  const opened = opening.move();
  const pidOf = (name: string) => {
    const pid = stack.programs.get(name)?.pid;
    if (pid === undefined) throw new Error(`${name} does not run`);
    return pid;
  };
  return {
    ports,
    exports: () => exports,
    memory: (service) => {
      const kibibytes = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pidOf(service)}/status`, "utf8"))?.[1];
      return Number(kibibytes) / 1_024;
    },
    processes: [
      ...[...stack.programs.keys()].map((name) => ({ name, pid: pidOf(name) })),
      { name: "postgres", pid: stack.postgresPid },
    ],
    restarts: () => [...stack.programs.values()].reduce((sum, program) => sum + program.restarts, 0),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}
