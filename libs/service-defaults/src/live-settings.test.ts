import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { file, live, loadConfig } from "@plumbline/config";
import { type Logger, noTelemetry } from "@plumbline/telemetry";
import { z } from "zod";
import { followLiveSettings } from "./live-settings.ts";

const Sample = z.object({ port: z.int().default(1), maxItems: live(z.int().default(100)) });

/** A follower of one file, and the lines that it logs. */
async function follow(text: string) {
  const folder = mkdtempSync(join(tmpdir(), "plumbline-live-"));
  const path = join(folder, "sample.yaml");
  writeFileSync(path, text);
  const sources = [file(path)];
  const lines: { readonly message: string; readonly fields: unknown }[] = [];
  let logged = Promise.withResolvers<void>();
  const log = (message: string, fields: unknown): void => {
    lines.push({ message, fields });
    logged.resolve();
    logged = Promise.withResolvers();
  };
  const logger: Logger = { ...noTelemetry.logger, info: log, warn: log };
  const settings = await followLiveSettings(Sample, await loadConfig(Sample, sources), { sources }, logger);
  return {
    settings,
    lines,
    async change(to: string, message: string): Promise<void> {
      writeFileSync(path, to);
      while (lines.at(-1)?.message !== message) await logged.promise;
    },
    async [Symbol.asyncDispose]() {
      await settings[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

test("a changed live setting holds without a restart, and is logged", { timeout: 20_000 }, async () => {
  await using sample = await follow("maxItems: 1");
  assert.equal(sample.settings.current().maxItems, 1);
  await sample.change("maxItems: 2", "settings changed");
  assert.equal(sample.settings.current().maxItems, 2);
  assert.deepEqual(sample.lines, [{ message: "settings changed", fields: { settings: { maxItems: 2 } } }]);
});

test("a changed setting that is not live keeps its value, and the log says that it needs a restart", {
  timeout: 20_000,
}, async () => {
  await using sample = await follow("port: 1");
  await sample.change("port: 2", "changed settings need a restart");
  assert.equal(sample.settings.current().port, 1);
  assert.deepEqual(sample.lines.at(-1)?.fields, { settings: ["port"] });
});

test("a change that is wrong keeps the last valid settings", { timeout: 20_000 }, async () => {
  await using sample = await follow("maxItems: 1");
  await sample.change("maxItems: many", "changed settings are invalid; keeping the last valid ones");
  assert.equal(sample.settings.current().maxItems, 1);
});
