/**
 * `npm run soak -w libs/rpc`: a server and a client under a steady mix of calls, watched for what
 * they keep.
 */
import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { transportNames } from "@plumbline/rpc";
import { choice, decimal, runCommand, text } from "@plumbline/tools-stack/command";
import { sides, soak } from "./soak.ts";
import { sampleHead, sampleRow, summary } from "./tables.ts";

await runCommand(
  {
    name: "npm run soak -w libs/rpc",
    about:
      "Makes calls of every kind, with every end, and watches what client and server keep. Ctrl-C judges what there is.",
    options: {
      minutes: decimal("length of the run", { least: 0.01, most: 100_000, preset: 60 }),
      every: decimal("seconds between two samples", { least: 0.1, most: 100_000, preset: 60, takes: "SECONDS" }),
      rate: decimal("calls a second", { least: 1, most: 100_000, preset: 300 }),
      transport: choice("carrier of the calls", transportNames, { preset: "http2" }),
      leak: choice("this side keeps every call, so that the verdict must be bad", sides),
      json: text("writes the report there", { takes: "FILE" }),
    },
    notes: ["Exit codes: 0 flat, 1 something grew past its bound or a call ended unexpectedly, 2 wrong command line."],
  },
  async ({ values: { minutes, every, rate, transport, leak, json } }) => {
    const stop = new AbortController();
    for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stop.abort());
    console.log(sampleHead);
    const report = await soak({
      transport,
      totalMs: minutes * 60_000,
      everyMs: every * 1_000,
      perSecond: rate,
      leak,
      signal: stop.signal,
      onSample: (samples) => console.log(sampleRow(samples)),
    });
    console.log(`\n${summary(report)}`);
    if (json !== undefined) writeFileSync(resolve(process.env["INIT_CWD"] ?? ".", json), `${JSON.stringify(report)}\n`);
    return report.ok ? 0 : 1;
  },
);
