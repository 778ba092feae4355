/** The checks of the chart. Those that need a program are skipped without it, and say so. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { findProgram } from "@plumbline/tools-stack";
import { findDrift } from "../settings/drift.ts";
import type { Service } from "../settings/services.ts";
import { examples } from "./examples.ts";
import { goldens } from "./goldens.ts";
import { helm, run, schemaFolder, whyNoHelm } from "./programs.ts";
import { chartFolder, render, tryRender } from "./render.ts";
import { brokenRules } from "./rules.ts";
import { startedPods } from "./started.ts";

export interface Verdict {
  readonly problems: readonly string[];
  /** The checks that did not run, with the reason. */
  readonly unchecked: readonly string[];
}

/** The charts for tests, with the switches that render all of them. */
const testCharts: readonly (readonly [name: string, ...switches: readonly string[]])[] = [
  ["engines-for-tests"],
  ["platform-for-tests", "--set", "metrics.enabled=true,ingress.enabled=true"],
];

/** Renders the chart with each example and returns what is wrong. */
export async function checkChart(services: readonly Service[]): Promise<Verdict> {
  const whyNot = whyNoHelm();
  if (whyNot !== false) return { problems: [], unchecked: [`lint, templates, goldens and drift: ${whyNot}`] };
  const lint = helm(
    "lint",
    "--strict",
    "--quiet",
    chartFolder,
    "--values",
    join(chartFolder, "../examples/kafka.yaml"),
  );
  const problems = lint.ok ? [] : [`helm lint: ${lint.complaint || lint.out}`];
  const unchecked: string[] = [];
  const schemas = schemaFolder();
  const canConform = findProgram("kubeconform") !== undefined && schemas !== undefined;
  if (!canConform) unchecked.push("schemas of Kubernetes: kubeconform or its schemas (KUBERNETES_SCHEMAS) are missing");

  for (const [name, values] of Object.entries(examples)) {
    const { text, objects } = render(values);
    const found = [
      ...brokenRules(objects),
      ...(canConform ? conformProblems(text, schemas) : []),
      ...(await findDrift(services, startedPods(objects))).filter((line) => !line.includes("is started nowhere")),
    ];
    problems.push(...found.map((problem) => `with the values "${name}": ${problem}`));
  }
  for (const [chart, ...switches] of testCharts) {
    const other = helm("template", chart, join(chartFolder, "..", chart), "--namespace", "shop", ...switches);
    problems.push(...(other.ok ? [] : [`${chart}: ${other.complaint}`]));
    if (other.ok && canConform) problems.push(...conformProblems(other.out, schemas));
  }
  const typo = tryRender({ services: { orders: { settings: { kafka: { borkers: ["kafka:9092"] } } } } });
  if (typo.ok || !typo.complaint.includes("borkers")) problems.push("a misspelt setting is not refused with its name");
  for (const [path, text] of Object.entries(goldens())) {
    if (!existsSync(path) || readFileSync(path, "utf8") !== text) {
      problems.push(`${path} is stale: run npm run chart, and read the difference`);
    }
  }
  return { problems, unchecked };
}

function conformProblems(text: string, schemas: string): string[] {
  const own = join(chartFolder, "../definitions/{{.ResourceKind}}.json");
  const { ok, out, complaint } = run(
    "kubeconform",
    ["-strict", "-schema-location", join(schemas, "{{.ResourceKind}}{{.KindSuffix}}.json"), "-schema-location", own],
    text,
  );
  return ok ? [] : [...out.trim().split("\n"), complaint].filter((line) => line !== "");
}
