import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A metric that the code registers, as Prometheus shows it. */
export interface Registered {
  /** Matches the name: a part that the code fills in stands for any word. */
  readonly name: RegExp;
  readonly kind: "counter" | "gauge" | "histogram";
  readonly labels: readonly string[];
}

const registration =
  /\.(counter|gauge|histogram)(?:<[^>]*>)?\(\s*(["`])([\w${}]+)\2,\s*(?:"[^"]*"|`[^`]*`),\s*\[([^\]]*)\]/g;

/** Every metric that the sources of apps and libraries register by name. */
export function metricsInCode(root: string): readonly Registered[] {
  return globSync("{apps,libs}/*/src/**/*.ts", { cwd: root })
    .filter((file) => !file.endsWith(".test.ts"))
    .flatMap((file) => metricsIn(readFileSync(join(root, file), "utf8")));
}

/** The registrations in one source: `metrics.counter("name", "help", ["label"])`. */
export function metricsIn(source: string): readonly Registered[] {
  return [...source.matchAll(registration)].map(([, kind, , name = "", labels = ""]) => ({
    name: new RegExp(`^${name.replaceAll(/\$\{\w+\}/g, "\\w+")}$`),
    kind: kind as Registered["kind"],
    labels: [...labels.matchAll(/"(\w+)"/g)].map(([, label = ""]) => label),
  }));
}
