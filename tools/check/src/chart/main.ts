/**
 * `npm run chart`: writes the generated files of deploy/helm/plumbline and its goldens. `npm run
 * chart -- check` fails when one is stale, and checks what the chart renders.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { generateContracts } from "@plumbline/tools-stack";
import { paint, runCommand } from "@plumbline/tools-stack/command";
import { findServices } from "../settings/services.ts";
import { whyNoHelm } from "./programs.ts";
import { chartFolder } from "./render.ts";

await runCommand(
  {
    name: "npm run chart",
    about: "Writes what is generated in deploy/helm/plumbline from the services and their settings.",
    words: { check: "writes nothing, fails when a file is stale or the chart renders something wrong" },
    notes: ["helm, kubeconform and its schemas are looked for on PATH and in node_modules/.cache/tools."],
  },
  async ({ words: [word] }) => {
    const root = resolve(import.meta.dirname, "../../../..");
    process.chdir(root);
    await generateContracts(root);
    // These load what has just been generated.
    const [{ checkChart }, { chartFiles, rowProblems }, { goldens }] = await Promise.all([
      import("./check-chart.ts"),
      import("./files.ts"),
      import("./goldens.ts"),
    ]);
    const services = await findServices(root);
    const files = Object.entries(chartFiles(services, chartFolder)).map(([name, text]) => ({
      path: join(chartFolder, name),
      text,
    }));
    if (word !== "check") {
      for (const one of files) write(one);
      if (whyNoHelm() === false) for (const [path, text] of Object.entries(goldens())) write({ path, text });
      else console.log(`NOT WRITTEN: the goldens, because ${whyNoHelm()}`);
      return 0;
    }
    const stale = files.filter(({ path, text }) => !existsSync(path) || readFileSync(path, "utf8") !== text);
    const verdict = await checkChart(services);
    const problems = [
      ...stale.map(({ path }) => `${path} is stale: run npm run chart`),
      ...rowProblems(readFileSync(join(chartFolder, "values.yaml"), "utf8")),
      ...verdict.problems,
    ];
    for (const problem of problems) console.error(problem);
    for (const one of verdict.unchecked) console.log(`${paint("yellow", "NOT CHECKED")}  ${one}`);
    console.log(problems.length === 0 ? "chart: what was checked is right" : `chart: ${problems.length} wrong`);
    return problems.length === 0 ? 0 : 1;
  },
);

function write({ path, text }: { readonly path: string; readonly text: string }): void {
  if (existsSync(path) && readFileSync(path, "utf8") === text) return;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  console.log(`${path} is written`);
}
