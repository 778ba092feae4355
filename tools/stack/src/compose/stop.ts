import { containers } from "./compose.ts";
import { dockerShown } from "./docker.ts";
import { endReport } from "./end-report.ts";

export async function stop(print: (text: string) => void): Promise<number> {
  const began = performance.now();
  await dockerShown(["compose", "stop"]);
  const ms = performance.now() - began;
  const { text, ok } = endReport(await containers());
  print(`\n${text}\n\nstopped in ${(ms / 1_000).toFixed(1)} s`);
  return ok ? 0 : 1;
}
