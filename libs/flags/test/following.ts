import assert from "node:assert/strict";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { file } from "@plumbline/config";
import { type Attributes, noTelemetry, startTelemetry } from "@plumbline/telemetry";
import { followFlags } from "../src/flags.ts";

/** Returns a document in which `share` percent of all customers have the flag checkout-v2. */
export const checkout = (share: number) => ({
  flags: {
    "checkout-v2": {
      state: "ENABLED",
      variants: { on: true, off: false },
      defaultVariant: "off",
      targeting: {
        fractional: [
          ["on", share],
          ["off", 100 - share],
        ],
      },
    },
  },
});

/** Follows a document in a file. */
export async function following(document: unknown) {
  const folder = mkdtempSync(join(tmpdir(), "plumbline-flags-"));
  const path = join(folder, "flags.json");
  const write = (next: unknown): void => {
    writeFileSync(`${path}.new`, typeof next === "string" ? next : JSON.stringify(next));
    renameSync(`${path}.new`, path);
  };
  if (document !== undefined) write(document);
  const lines: { readonly level: string; readonly message: string; readonly fields: unknown }[] = [];
  const line = (level: string) => (message: string, fields: unknown) => void lines.push({ level, message, fields });
  const logger = { ...noTelemetry.logger, info: line("info"), warn: line("warn"), error: line("error") };
  const events: { readonly name: string; readonly attributes: Attributes | undefined }[] = [];
  const addEvent = (name: string, attributes?: Attributes): void => void events.push({ name, attributes });
  const telemetry = startTelemetry({ service: "test", destination: new PassThrough().resume() });
  const { metrics } = telemetry;
  const tracer = { ...noTelemetry.tracer, addEvent };
  const flags = await followFlags(file(path, { optional: true }), { logger, metrics, tracer });
  return {
    path,
    flags,
    lines,
    events,
    metrics,
    /** Writes the document and waits until `isDone`. */
    async change(next: unknown, isDone: () => boolean): Promise<number> {
      const from = performance.now();
      write(next);
      while (!isDone()) {
        assert.ok(performance.now() - from < 5_000, JSON.stringify(lines));
        await sleep(5);
      }
      return performance.now() - from;
    },
    async [Symbol.asyncDispose]() {
      await flags[Symbol.asyncDispose]();
      await telemetry[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
