/** Connect's conformance suite for gRPC, of our server and of our client, over each transport. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { interopProgram, whyNoInteropProgram } from "@plumbline/tools-go";
import { type TransportName, transportNames } from "../../src/transports/index.ts";
import { knownFailing } from "./known-failing.ts";

const missing = whyNoInteropProgram("connectconformance");
if (missing === undefined) interopProgram("connectconformance");
const skip = missing === undefined ? false : `NOT TESTED: ${missing}`;

/**
 * Returns the features that cases may need: gRPC over HTTP/2 in the clear, over TLS, and with
 * client certificates. Our client compresses nothing, and a server compresses what its client does.
 */
const featuresOf = (mode: "server" | "client") => `features:
  versions: [HTTP_VERSION_2]
  protocols: [PROTOCOL_GRPC]
  codecs: [CODEC_PROTO]
  compressions: [COMPRESSION_IDENTITY${mode === "server" ? ", COMPRESSION_GZIP" : ""}]
  supportsH2c: true
  supportsTls: true
  supportsTlsClientCerts: true
  supportsTrailers: true
  supportsMessageReceiveLimit: true
`;

/** Runs the suite. Rejects with its output if a case fails, or if one of `knownFailing` passes. */
async function conform(mode: "server" | "client", transport: TransportName): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "connect-"));
  try {
    const [config, known] = [join(folder, "features.yaml"), join(folder, "known-failing.txt")];
    await writeFile(config, featuresOf(mode));
    await writeFile(known, knownFailing[mode][transport].map(({ cases }) => `${cases}\n`).join(""));
    const flags = ["--mode", mode, "--conf", config, "--known-failing", `@${known}`, "--max-servers", "1"];
    const program = [process.execPath, "-C", "source", join(import.meta.dirname, `${mode}.ts`), transport];
    const run = promisify(execFile)(interopProgram("connectconformance"), [...flags, "--", ...program], {
      timeout: 200_000,
      maxBuffer: 16 * 2 ** 20,
    });
    const { stdout, stderr } = await run.catch((error: { stdout: string; stderr: string }) => {
      throw new Error(`${error.stdout}${error.stderr}`.trim().split("\n").slice(-60).join("\n"));
    });
    return stdout + stderr;
  } finally {
    await rm(folder, { recursive: true });
  }
}

for (const transport of transportNames) {
  for (const mode of ["server", "client"] as const) {
    test(`our ${mode} on ${transport} passes Connect's conformance suite`, { skip, timeout: 240_000 }, async (t) => {
      const output = await conform(mode, transport);
      const [, all] = /Total cases: (\d+)/.exec(output) ?? [];
      t.diagnostic(output.trim().split("\n").slice(-2).join("; "));
      assert.ok(Number(all) > 300, output);
    });
  }
}
