/**
 * Preload of a measured Node process: on SIGUSR2 it writes the bytes it has allocated so far to
 * ALLOCATED_FILE.
 */
import { renameSync, writeFileSync } from "node:fs";
import { getHeapStatistics } from "node:v8";

const file = process.env["ALLOCATED_FILE"] ?? "allocated";
process.on("SIGUSR2", () => {
  const { total_allocated_bytes: bytes } = getHeapStatistics() as unknown as { total_allocated_bytes: number };
  writeFileSync(`${file}.new`, `${bytes}`);
  renameSync(`${file}.new`, file); // A reader never sees half a number.
});
