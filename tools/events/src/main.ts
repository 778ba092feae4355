/** `npm run events -- dlq list|show|replay` and `lag`: what an operator asks of the events. `--help` says it all. */
import { run } from "./run.ts";

const stop = new AbortController();
process.once("SIGINT", () => stop.abort(new Error("stopped")));
process.exitCode = await run(process.argv.slice(2), {
  environment: process.env,
  print: (text) => process.stdout.write(`${text}\n`),
  warn: (text) => process.stderr.write(`${text}\n`),
  signal: stop.signal,
});
