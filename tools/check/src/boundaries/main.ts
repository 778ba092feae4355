/** `npm run boundaries`: fails with one line for each import that points the wrong way. */
import { resolve } from "node:path";
import { checkWorkspace } from "./workspace.ts";

const problems = checkWorkspace(resolve(import.meta.dirname, "../../../.."));
for (const problem of problems) console.error(problem);
console.log(
  problems.length === 0 ? "boundaries: every import points the right way" : `boundaries: ${problems.length} wrong`,
);
process.exitCode = problems.length === 0 ? 0 : 1;
