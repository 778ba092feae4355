/** `npm run keys`: the API keys of a gateway. */
import { runCommand } from "../command/index.ts";
import { run, spec } from "./commands.ts";

const output = { print: console.log, warn: console.error };
await runCommand(spec, (line) => run(line, output, Date.now()));
