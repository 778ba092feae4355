import assert from "node:assert/strict";
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import test from "node:test";
import { z } from "zod";
import { folder } from "../../test/folder.ts";
import { secret } from "../types.ts";
import { watchConfig } from "../watch-config.ts";
import { type Environment, env } from "./env.ts";

const schema = z.object({
  database: z.object({ url: secret() }),
  token: secret().optional(),
  certificateFile: z.string().optional(),
});

/** Watches the environment, update by update. Each wait lasts at most ten seconds. */
function watching(environment: Environment) {
  const stop = new AbortController();
  const updates = watchConfig(schema, [env("X", environment)], stop.signal)[Symbol.asyncIterator]();
  return {
    /** Returns the secrets of the next update, or its first problem. */
    async next() {
      const late = new Promise<never>((_, reject) => setTimeout(() => reject(new Error("no update")), 10_000).unref());
      const { value } = await Promise.race([updates.next(), late]);
      if (value?.error) return `${value.error.problems[0]?.key}: ${value.error.problems[0]?.expected}`;
      return [value?.config?.database.url.reveal(), value?.config?.token?.reveal()];
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await updates.return?.();
    },
  };
}

test("a secret that is written again or renamed into place is read again", async () => {
  using dir = folder();
  writeFileSync(dir.at("url"), "postgresql://a\n");
  await using updates = watching({ X_DATABASE_URL_FILE: dir.at("url") });
  assert.deepEqual(await updates.next(), ["postgresql://a", undefined]);
  writeFileSync(dir.at("url"), "postgresql://b\n");
  assert.deepEqual(await updates.next(), ["postgresql://b", undefined]);
  writeFileSync(dir.at("next"), "postgresql://c\n");
  renameSync(dir.at("next"), dir.at("url"));
  assert.deepEqual(await updates.next(), ["postgresql://c", undefined]);
});

test("secrets of Kubernetes are followed through the swap of ..data, all in one update", async () => {
  using dir = folder();
  const version = (number: number): void => {
    const name = `..2026_${number}`;
    mkdirSync(dir.at(name));
    writeFileSync(dir.at(`${name}/url`), `postgresql://role-${number}`);
    writeFileSync(dir.at(`${name}/token`), `token-${number}`);
    symlinkSync(name, dir.at("..data_tmp"));
    renameSync(dir.at("..data_tmp"), dir.at("..data"));
    rmSync(dir.at(`..2026_${number - 1}`), { recursive: true, force: true });
  };
  version(1);
  for (const key of ["url", "token"]) symlinkSync(`..data/${key}`, dir.at(key));
  await using updates = watching({ X_DATABASE_URL_FILE: dir.at("url"), X_TOKEN_FILE: dir.at("token") });
  for (const number of [1, 2, 3, 4]) {
    if (number > 1) version(number);
    assert.deepEqual(await updates.next(), [`postgresql://role-${number}`, `token-${number}`]);
  }
});

for (const { name, change, problem } of [
  {
    name: "is removed",
    change: (path: string) => rmSync(path),
    problem: "database.url: a file that can be read (ENOENT)",
  },
  {
    name: "becomes empty",
    change: (path: string) => writeFileSync(path, "\n"),
    problem: "database.url: content, which it had before",
  },
  {
    name: "grows beyond its limit",
    change: (path: string) => writeFileSync(path, "x".repeat(65_537)),
    problem: "database.url: a file of at most 65536 bytes",
  },
]) {
  test(`a secret whose file ${name} is a problem until the file is right again`, async () => {
    using dir = folder();
    writeFileSync(dir.at("url"), "postgresql://a");
    await using updates = watching({ X_DATABASE_URL_FILE: dir.at("url") });
    await updates.next();
    change(dir.at("url"));
    assert.equal(await updates.next(), problem);
    writeFileSync(dir.at("url"), "postgresql://b");
    assert.deepEqual(await updates.next(), ["postgresql://b", undefined]);
  });
}

test("a file without an end is a problem, not read into memory", async () => {
  await using updates = watching({ X_DATABASE_URL_FILE: "/dev/zero" });
  assert.equal(await updates.next(), "database.url: a file of at most 65536 bytes");
});

test("a change of a file that is no secret of this environment is no update", async () => {
  using dir = folder();
  writeFileSync(dir.at("url"), "postgresql://a");
  writeFileSync(dir.at("certificate"), "1");
  const environment = { X_DATABASE_URL_FILE: dir.at("url"), X_CERTIFICATE_FILE: dir.at("certificate") };
  await using updates = watching(environment);
  await updates.next();
  // The setting is the name of the file, which stays.
  writeFileSync(dir.at("certificate"), "2");
  await new Promise((resolve) => setTimeout(resolve, 300));
  writeFileSync(dir.at("url"), "postgresql://b");
  assert.deepEqual(await updates.next(), ["postgresql://b", undefined]);
});
