/**
 * `npm run demo`: 200 orders through a running stack. Options: --url (by default the first of localhost:8080 to 8089 that
 * is ready), --orders N. Exit 1 if any is lost or doubled.
 */
import { parseArgs } from "node:util";
import { findGateway } from "./find-gateway.ts";
import { runDemo, table } from "./run-demo.ts";

const { values } = parseArgs({
  options: { url: { type: "string" }, orders: { type: "string", default: "200" } },
});
const total = Number(values.orders);
if (!Number.isInteger(total) || total < 1 || total > 10_000) {
  console.error("--orders takes a whole number from 1 to 10000");
  process.exit(1);
}

const live = process.stdout.isTTY === true;
let last = 0;
function onProgress({ placed, ended }: { placed: number; ended: number }): void {
  const now = performance.now();
  if (now - last < (live ? 50 : 1_000) && ended < total) return;
  last = now;
  const bar = (count: number) => "█".repeat(Math.round((20 * count) / total)).padEnd(20, "░");
  const line = `placed ${bar(placed)} ${placed}/${total}   settled ${bar(ended)} ${ended}/${total}`;
  process.stdout.write(live ? `\r${line}` : `${line}\n`);
}

try {
  const base = (values.url ?? (await findGateway())).replace(/\/$/, "");
  console.log(`${total} orders to ${base}`);
  const report = await runDemo({ base, orders: total, onProgress });
  console.log(table(report));
  process.exitCode = report.ok ? 0 : 1;
} catch (error) {
  console.error(
    `\nThe demo needs the running stack (npm start, or docker compose up): ${error instanceof Error ? error.message : String(error)}`,
  );
  process.exitCode = 1;
}
