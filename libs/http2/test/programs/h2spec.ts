/**
 * Runs h2spec against our server, strict cases included: `npm run h2spec -w libs/http2`. Arguments are passed on (a section,
 * `--verbose`). Ends with h2spec's exit code; needs Go.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { peer, whyNoPeers } from "@plumbline/peers";
import { startEcho } from "./echo-server.ts";

const missing = whyNoPeers();
if (missing !== undefined) {
  console.error(`h2spec was NOT RUN: ${missing}`);
  process.exit(1);
}
await using server = await startEcho();
const flags = ["--strict", "--port", `${server.port}`, ...process.argv.slice(2)];
const [code] = (await once(spawn(peer("h2spec"), flags, { stdio: "inherit" }), "exit")) as [number | null];
process.exitCode = code ?? 1;
