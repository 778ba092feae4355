/** `npm run boundaries`: fails with one line for each import that points the wrong way. */
import { resolve } from "node:path";
import { runCommand } from "@plumbline/tools-stack/command";
import { checkWorkspace } from "./workspace.ts";

await runCommand(
  {
    name: "npm run boundaries",
    about:
      "Checks that imports point from a layer to those below it. tools/check/src/boundaries/layers.ts is the table.",
  },
  () => {
    const problems = checkWorkspace(resolve(import.meta.dirname, "../../../.."));
    for (const problem of problems) console.error(problem);
    console.log(
      problems.length === 0 ? "boundaries: every import points the right way" : `boundaries: ${problems.length} wrong`,
    );
    return problems.length === 0 ? 0 : 1;
  },
);
