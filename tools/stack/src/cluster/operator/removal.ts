/** The parts of the verb `operator` that upgrade and remove the operator's chart. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { charts } from "../charts.ts";
import type { Reach } from "../reach.ts";
import { type Report, seconds } from "../report.ts";
import { backendService, smallSpec } from "./resources.ts";
import { installOperator, isReady, podsOf, putReady } from "./system.ts";
import type { Cluster } from "./until.ts";

const goneS = 30;

/**
 * Upgrades the chart to one whose definition has one more field. The resource from before must be
 * as it was, and a new one must keep the field.
 */
export async function upgradeDefinition(reach: Reach, cluster: Cluster, report: Report): Promise<void> {
  const { kubectl, tag } = cluster;
  // The definition may have come from elsewhere.
  const owning = ["--take-ownership", "--force-conflicts"];
  await installOperator(reach, cluster, owning);
  await putReady(cluster, "old", smallSpec(tag));
  const noted = backendService("new", { ...smallSpec(tag), note: "kept" });
  const refusal = await cluster.apply(noted).then(
    () => "accepted",
    (error: unknown) => (/note/.test(String(error)) ? "refused" : String(error)),
  );
  report.check("a field that the definition lacks", refusal, "refused", refusal === "refused");
  const state = () =>
    kubectl("get", "backendservice", "old", "--output", "jsonpath={.metadata.uid} {.metadata.generation} {.spec}");
  const before = [await state(), ...(await podsOf(cluster, "old")).map(({ name }) => name)].join();
  const folder = mkdtempSync(join(tmpdir(), "plumbline-chart-"));
  try {
    cpSync(join(charts, "plumbline-operator"), folder, { recursive: true });
    const file = join(folder, "files/backendservices.yaml");
    writeFileSync(file, withNote(readFileSync(file, "utf8")));
    await installOperator(reach, cluster, owning, folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
  await cluster.apply(noted);
  await isReady(cluster, "new");
  const kept = await kubectl("get", "backendservice", "new", "--output", "jsonpath={.spec.note}");
  report.check("definition with one more field: a resource that has it", kept || "lost", "kept", kept === "kept");
  await isReady(cluster, "old");
  const after = [await state(), ...(await podsOf(cluster, "old")).map(({ name }) => name)].join();
  report.check(
    "definition with one more field: the resource from before",
    after === before ? "the same, with its pod" : `${before} became ${after}`,
    "the same",
    after === before,
  );
}

/** Returns the definition with an optional field `spec.note`. */
export function withNote(definition: string): string {
  const spec = /^( +)spec:\n\1 {2}type: object\n\1 {2}properties:\n/m;
  if (!spec.test(definition)) throw new Error("the definition has no place for one more field");
  return definition.replace(spec, (found, indent: string) => {
    const field = `${indent}    note:\n${indent}      type: string\n${indent}      maxLength: 100\n`;
    return `${found}${field}`;
  });
}

/** Removes the namespace of a resource with both sidecars, after the operator or with it. */
export async function remove(
  reach: Reach,
  cluster: Cluster,
  order: "operator first" | "operator with it",
  report: Report,
): Promise<void> {
  const { apply, kubectl, namespace, tag } = cluster;
  await installOperator(reach, cluster);
  const metadata = { name: "some" };
  await apply({ apiVersion: "v1", kind: "Secret", metadata, stringData: { key: "value" } });
  await putReady(cluster, "kept", {
    ...smallSpec(tag),
    tracing: { collector: "http://collector:4318" },
    secrets: [{ name: "some", secretRef: "some", follow: "agent" }],
  });
  if (order === "operator first") {
    await reach.helm(["uninstall", "operator", "--namespace", namespace, "--wait"]);
    const ready = await kubectl("get", "deployment", "kept", "--output", "jsonpath={.status.readyReplicas}");
    const names = await kubectl("get", "backendservices", "--output", "name");
    const left = `${names.trim()}, ${ready || 0} ready`;
    const isLeft = left === "backendservice.plumbline.dev/kept, 1 ready";
    report.check("operator uninstalled: what is left", left, "the resource and its pod", isLeft);
  }
  const began = performance.now();
  await reach.kubectl(["delete", "namespace", namespace, "--wait", "--timeout=180s"]);
  const took = performance.now() - began;
  report.check(`namespace deleted, ${order}: gone after`, seconds(took), `<= ${goneS} s`, took <= goneS * 1_000);
}
