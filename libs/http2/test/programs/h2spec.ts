/**
 * Runs h2spec against our server, strict cases included: `npm run h2spec -w libs/http2`. Arguments
 * are passed on (a section, `--verbose`). Exits with h2spec's code; needs Go.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { interopProgram, whyNoInteropProgram } from "@plumbline/tools-go";
import { startEcho } from "./echo-server.ts";

const missing = whyNoInteropProgram("h2spec");
if (missing !== undefined) {
  console.error(`h2spec was NOT RUN: ${missing}`);
  process.exit(1);
}
await using server = await startEcho();
const flags = ["--strict", "--port", `${server.port}`, ...process.argv.slice(2)];
const [code] = (await once(spawn(interopProgram("h2spec"), flags, { stdio: "inherit" }), "exit")) as [number | null];
process.exitCode = code ?? 1;
