/**
 * The metrics and labels of one expression. It knows enough of PromQL for the alerts here; promtool
 * checks the syntax.
 */
export interface Asked {
  readonly metrics: readonly string[];
  readonly labels: readonly string[];
}

const words = new Set([
  "by",
  "on",
  "ignoring",
  "without",
  "group_left",
  "group_right",
  "and",
  "or",
  "unless",
  "offset",
  "bool",
]);

/** Returns the metrics and labels that `expression` names. */
export function askedBy(expression: string): Asked {
  const labels: string[] = [];
  const rest = expression
    .replaceAll(/"[^"]*"/g, '""')
    .replaceAll(/\{([^}]*)\}/g, (_, inside: string) => {
      labels.push(...[...inside.matchAll(/(\w+)\s*[=!]/g)].map(([, label = ""]) => label));
      return " ";
    })
    .replaceAll(/\b(by|on|without|ignoring)\s*\(([^)]*)\)/g, (_, _word, inside: string) => {
      labels.push(...[...inside.matchAll(/\w+/g)].map(([label]) => label));
      return " ";
    })
    .replaceAll(/\[[^\]]*\]/g, " ");
  const metrics = [...rest.matchAll(/\b([a-zA-Z_]\w*)\b(?!\s*\()/g)]
    .map(([name]) => name)
    .filter((name) => !words.has(name));
  return { metrics: [...new Set(metrics)], labels: [...new Set(labels)] };
}
