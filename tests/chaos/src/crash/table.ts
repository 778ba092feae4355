import type { CrashReport } from "./run-crash.ts";

/** Returns the report as a table: the points of the kills, and the outcome of the orders. */
export function table(report: CrashReport): string {
  const width = Math.max(...report.rows.map((row) => row.point.length));
  return [
    "",
    `  ${"killed".padEnd(width)}  kills  orders`,
    ...report.rows.map(
      (row) => `  ${row.point.padEnd(width)}  ${String(row.kills).padStart(5)}  ${String(row.orders).padStart(6)}`,
    ),
    "",
    ...[...report.wrong, ...report.lost, ...report.unsent, ...report.phantom, ...report.doubled]
      .slice(0, 10)
      .map((problem) => `  ${problem}`),
    `  ${report.orders} orders: ${report.lost.length} lost, ${report.phantom.length} phantom, ${report.doubled.length} doubled, ${report.wrong.length} wrong at the API`,
  ].join("\n");
}
