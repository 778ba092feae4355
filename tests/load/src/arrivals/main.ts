/** A load at a fixed rate until standard input ends. Prints its report as one line of JSON. */
import { runCommand, text, whole } from "@plumbline/tools-stack/command";
import { runArrivals } from "./run-arrivals.ts";

await runCommand(
  {
    name: "arrivals",
    about: "Sends requests to a gateway at a fixed rate until standard input ends, and prints a report as JSON.",
    options: {
      url: text("address of the gateway", { takes: "URL", preset: "http://127.0.0.1:8080" }),
      rate: whole("requests a second", { least: 1, most: 10_000, preset: 20 }),
      watchers: whole("watchers of orders", { least: 0, most: 1_000, preset: 20 }),
    },
    notes: ["Exit codes: 0 no request failed and every watcher saw its end, 1 otherwise, 2 wrong command line."],
  },
  async ({ values }) => {
    const over = new AbortController();
    process.stdin.resume().once("end", () => over.abort());
    const report = await runArrivals(values, over.signal);
    console.log(JSON.stringify(report));
    return report.failures.length === 0 ? 0 : 1;
  },
);
