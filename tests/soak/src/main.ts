/**
 * A server and a client under a steady mix of everything that calls do, watched for what they keep:
 *
 *     npm run soak -w libs/rpc -- --minutes 60
 *
 * Options: --transport http2|grpc-js (http2), --every SECONDS between two samples (60), --rate CALLS a second (300), --json
 * FILE, --leak client|server (that side keeps every call: the verdict must be no). Ctrl-C judges what there is. Exit 1
 * when something grew past its bound, or a call ended as nobody expects.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { transportNames } from "@plumbline/rpc";
import { sides, soak } from "./soak.ts";
import { sampleHead, sampleRow, summary } from "./tables.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "60" },
    every: { type: "string", default: "60" },
    rate: { type: "string", default: "300" },
    transport: { type: "string", default: "http2" },
    leak: { type: "string" },
    json: { type: "string" },
  },
});

const stop = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stop.abort());

try {
  console.log(sampleHead);
  const report = await soak({
    transport: oneOf("transport", transportNames, values.transport),
    totalMs: positive("minutes", values.minutes) * 60_000,
    everyMs: positive("every", values.every) * 1_000,
    perSecond: positive("rate", values.rate),
    leak: values.leak === undefined ? undefined : oneOf("leak", sides, values.leak),
    signal: stop.signal,
    onSample: (samples) => console.log(sampleRow(samples)),
  });
  console.log(`\n${summary(report)}`);
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report)}\n`);
  process.exitCode = report.ok ? 0 : 1;
} catch (error) {
  console.error("Not finished:", error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (value > 0 && value < 1e6) return value;
  throw new RangeError(`--${name} takes a number above 0, not ${JSON.stringify(text)}`);
}

function oneOf<T extends string>(name: string, choices: readonly T[], text: string): T {
  const found = choices.find((choice) => choice === text);
  if (found !== undefined) return found;
  throw new RangeError(`--${name} takes ${choices.join(" or ")}, not ${JSON.stringify(text)}`);
}
