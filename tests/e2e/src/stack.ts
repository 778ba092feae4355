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
  /** Where the gateway listens. */
  readonly base: string;
  /** Every line the programs wrote so far. */
  readonly lines: readonly { readonly name: string; readonly line: string }[];
}

export type RunOptions = Pick<ProcessesOptions, "environment" | "entry" | "scale" | "transport">;

/**
 * The whole system on free ports with a data folder of its own, removed at the end. Its transport is the one given, or the
 * one that `PLUMBLINE_TRANSPORT` names.
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
