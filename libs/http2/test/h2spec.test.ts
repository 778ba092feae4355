/** The whole of h2spec, strict cases included, in the clear and over TLS. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { interopProgram, whyNoInteropProgram } from "@plumbline/tools-go";
import { certificate, privateKey } from "./certificate.ts";
import { startEcho } from "./programs/echo-server.ts";

const run = promisify(execFile);
const missing = whyNoInteropProgram("h2spec");
const h2spec = missing === undefined ? interopProgram("h2spec") : "";
const skip = missing === undefined ? false : `NOT TESTED: ${missing}`;

for (const { name, tls, flags } of [
  { name: "every case of h2spec passes, strict ones too", tls: undefined, flags: [] },
  {
    name: "every case of h2spec passes over TLS",
    tls: { cert: certificate, key: privateKey },
    flags: ["--tls", "--insecure"],
  },
]) {
  test(name, { skip, timeout: 120_000 }, async () => {
    await using server = await startEcho(tls);
    const { stdout } = await run(h2spec, ["--strict", "--port", `${server.port}`, ...flags]);
    const [, all, passed, failed] = /(\d+) tests, (\d+) passed, \d+ skipped, (\d+) failed/.exec(stdout) ?? [];
    assert.ok(Number(all) >= 146, stdout);
    assert.deepEqual([passed, failed], [all, "0"]);
  });
}
