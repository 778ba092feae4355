import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { startIssuer } from "./issuer.ts";
import { jwkOf, signed, testKey } from "./tokens.ts";

const root = new URL("../", import.meta.url);

test("the program of the README verifies a token and denies its subject", async () => {
  const [, program] = /^```ts\n(.*?)^```$/ms.exec(readFileSync(new URL("README.md", root), "utf8")) ?? [];
  const key = testKey("ES256");
  await using issuer = await startIssuer({ keys: [jwkOf(key, "k")] });
  const now = Date.now() / 1_000;
  const claims = { iss: issuer.url, aud: "plumbline", sub: "ada", client_id: "cli", iat: now, exp: now + 600 };
  const token = signed({ alg: "ES256", typ: "at+jwt", kid: "k" }, { ...claims, scope: "orders:read" }, key);
  const child = spawn(process.execPath, ["-C", "source", "--input-type=module-typescript", "-"], {
    cwd: root,
    env: { ...process.env, ISSUER: issuer.url, AUTHORIZATION: `Bearer ${token}` },
    stdio: ["pipe", "pipe", "inherit"],
    timeout: 60_000,
  });
  child.stdin.end(program);
  assert.equal(await text(child.stdout), "ada calls through cli\nthe access token is invalid: deny list\n");
});
