/**
 * Runs h2spec against our server, strict cases included: `npm run h2spec -w libs/http2`. Arguments are passed on (a section,
 * `--verbose`). Ends with h2spec's exit code; needs Go.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { peer } from "@plumbline/peers";
import { startEcho } from "./echo-server.ts";

try {
  const h2spec = await peer("h2spec");
  await using server = await startEcho();
  const flags = ["--strict", "--port", `${server.port}`, ...process.argv.slice(2)];
  const child = spawn(h2spec, flags, { stdio: "inherit" });
  const [code] = (await once(child, "exit")) as [number | null];
  process.exitCode = code ?? 1;
} catch (error) {
  console.error(`h2spec was NOT RUN: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
