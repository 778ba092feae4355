import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { env, file, live, loadConfig, secret } from "@plumbline/config";
import { type Logger, noTelemetry } from "@plumbline/telemetry";
import { z } from "zod";
import { followLiveSettings } from "./live-settings.ts";

const Sample = z.object({
  port: z.int().default(1),
  maxItems: live(z.int().default(100)),
  token: live(secret()).optional(),
});

/** A follower of one file, and the lines that it logs. */
async function follow(text: string) {
  const folder = mkdtempSync(join(tmpdir(), "plumbline-live-"));
  const path = join(folder, "sample.yaml");
  writeFileSync(path, text);
  writeFileSync(join(folder, "token"), "first");
  const sources = [file(path), env("SAMPLE", { SAMPLE_TOKEN_FILE: join(folder, "token") })];
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
    async change(to: string, message: string, name = "sample.yaml"): Promise<void> {
      writeFileSync(join(folder, name), to);
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

test("a changed secret arrives where it is followed, and the log names its key only", {
  timeout: 20_000,
}, async () => {
  await using sample = await follow("maxItems: 1");
  const token = sample.settings.follow((config) => config.token?.reveal());
  assert.equal(token.current(), "first");
  await sample.change("second", "secrets changed", "token");
  assert.equal(token.current(), "second");
  assert.deepEqual(sample.lines, [{ message: "secrets changed", fields: { settings: ["token"] } }]);
});

test("reload applies a change before the watch sees it, and once only", { timeout: 20_000 }, async () => {
  await using sample = await follow("maxItems: 1");
  const token = sample.settings.follow((config) => config.token?.reveal());
  const logged = sample.change("second", "secrets changed", "token");
  await token.reload();
  assert.equal(token.current(), "second");
  await logged;
  // The watch has read the same file when it sees the next change.
  await sample.change("maxItems: 2", "settings changed");
  assert.deepEqual(
    sample.lines.map(({ message }) => message),
    ["secrets changed", "settings changed"],
  );
});

test("reload keeps the last valid settings if the sources are wrong", { timeout: 20_000 }, async () => {
  await using sample = await follow("maxItems: 1");
  const token = sample.settings.follow((config) => config.token?.reveal());
  const logged = sample.change("", "changed settings are invalid; keeping the last valid ones", "token");
  await token.reload();
  await logged;
  assert.equal(token.current(), "first");
});
