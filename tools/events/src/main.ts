/** `npm run events`: dead letters and lag, for operators. */
import { resolve } from "node:path";
import { generateContracts } from "@plumbline/tools-stack";
import { runCommand } from "@plumbline/tools-stack/command";
import { spec, toCommand } from "./options.ts";

await runCommand(spec, async (line) => {
  const command = toCommand(line, process.env);
  await generateContracts(resolve(import.meta.dirname, "../../.."));
  const { run } = await import("./run.ts");
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort(new Error("stopped")));
  return await run(command, {
    print: (text) => process.stdout.write(`${text}\n`),
    warn: (text) => process.stderr.write(`${text}\n`),
    signal: stop.signal,
  });
});
