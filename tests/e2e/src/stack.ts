import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import {
  freeStackPorts,
  givenTransport,
  openProcesses,
  type Ports,
  type ProcessesOptions,
  type ProcessStack,
} from "@plumbline/tools-stack";

export const root = resolve(import.meta.dirname, "../../..");

export interface Running extends AsyncDisposable {
  readonly stack: ProcessStack;
  readonly ports: Ports;
  /** The address of the gateway. */
  readonly base: string;
  /** All lines of the programs so far. */
  readonly lines: readonly { readonly name: string; readonly line: string }[];
}

export type RunOptions = Pick<
  ProcessesOptions,
  "environment" | "entry" | "scale" | "transport" | "etcd" | "tokens" | "plain"
>;

/**
 * Starts the whole system on free ports with a data folder of its own, which is removed at the end.
 * The transport is the given one, or that of `PLUMBLINE_TRANSPORT`.
 */
export async function runStack(options: RunOptions = {}): Promise<Running> {
  const ports = await freeStackPorts();
  const dataDir = mkdtempSync(join(tmpdir(), "plumbline-e2e-"));
  const lines: { name: string; line: string }[] = [];
  try {
    const stack = await openProcesses({
      root,
      dataDir,
      ports,
      transport: givenTransport(),
      ...options,
      onLine: (name, line) => lines.push({ name, line }),
    });
    return {
      stack,
      ports,
      base: `http://127.0.0.1:${ports.gateway}`,
      lines,
      async [Symbol.asyncDispose]() {
        await stack[Symbol.asyncDispose]();
        rmSync(dataDir, { recursive: true, force: true });
      },
    };
  } catch (error) {
    rmSync(dataDir, { recursive: true, force: true });
    throw error;
  }
}
