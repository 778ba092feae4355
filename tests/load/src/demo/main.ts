/** `npm run demo`: orders through a running stack, counted at the end. */
import { Progress, runCommand, text, whole } from "@plumbline/tools-stack/command";
import { findGateway } from "./find-gateway.ts";
import { runDemo, table } from "./run-demo.ts";

await runCommand(
  {
    name: "npm run demo",
    about: "Places orders with a running stack (npm start, docker compose up), waits for each to end and counts them.",
    options: {
      orders: whole("orders to place", { least: 1, most: 10_000, preset: 200 }),
      url: text("address of the gateway; the first of localhost:8080 to 8089 that is ready", { takes: "URL" }),
    },
    notes: ["Exit codes: 0 all orders are accounted for, 1 an order is lost, doubled or wrong, 2 wrong command line."],
  },
  async ({ values: { orders, url } }) => {
    const base = (url ?? (await findGateway())).replace(/\/$/, "");
    using progress = new Progress();
    progress.line(`${orders} orders to ${base}`);
    const bar = (count: number) => "█".repeat(Math.round((20 * count) / orders)).padEnd(20, "░");
    const show = ({ placed, ended }: { placed: number; ended: number }) =>
      progress.show(`placed ${bar(placed)} ${placed}/${orders}   settled ${bar(ended)} ${ended}/${orders}`, {
        now: ended === orders,
      });
    const report = await runDemo({ base, orders, onProgress: show }).catch((error: unknown) => {
      const why = error instanceof Error ? error.message : String(error);
      throw new Error(`The demo needs the running stack (npm start, or docker compose up): ${why}`, { cause: error });
    });
    progress.line(table(report));
    return report.ok ? 0 : 1;
  },
);
