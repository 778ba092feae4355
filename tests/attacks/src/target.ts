import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { freeStackPorts, openProcesses, ownServices, settingsPrefix, type Transport } from "@plumbline/tools-stack";
import type { Target } from "./attack.ts";

const root = resolve(import.meta.dirname, "../../..");

export interface RunningTarget extends Target, AsyncDisposable {}

/**
 * Starts the embedded stack on free ports, with a data folder of its own. No trace is sampled, and
 * a collector in this process counts the spans that arrive all the same.
 */
export async function openTarget(transport: Transport): Promise<RunningTarget> {
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
  const environment = Object.fromEntries(
    ownServices.flatMap(({ name }) => [
      [`${settingsPrefix(name)}_TELEMETRY_OTLP_ENDPOINT`, endpoint],
      [`${settingsPrefix(name)}_TELEMETRY_SAMPLE_RATIO`, "0"],
    ]),
  );
  const dataDir = mkdtempSync(join(tmpdir(), "plumbline-attacks-"));
  opening.defer(() => rmSync(dataDir, { recursive: true, force: true }));
  const ports = await freeStackPorts();
  const stack = await openProcesses({ root, dataDir, ports, transport, environment, onLine: () => {} });
  opening.defer(() => stack[Symbol.asyncDispose]());
  const opened = opening.move();
  return {
    ports,
    exports: () => exports,
    memory: (service) => {
      const pid = stack.programs.get(service)?.pid;
      if (pid === undefined) throw new Error(`${service} does not run`);
      const kibibytes = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
      return Number(kibibytes) / 1_024;
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}
