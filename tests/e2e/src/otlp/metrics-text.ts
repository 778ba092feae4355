/** The metrics of one scrape: the type of each, and the labels of its samples. */
export function metricsOf(text: string): Map<string, { readonly type: string; readonly labels: Set<string> }> {
  const metrics = new Map<string, { type: string; labels: Set<string> }>();
  for (const [, name = "", type = ""] of text.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
    metrics.set(name, { type, labels: new Set() });
  }
  for (const [, sample = "", labels = ""] of text.matchAll(/^([a-zA-Z_:]\w*)\{(.*)\} /gm)) {
    const metric = metrics.get(sample) ?? metrics.get(sample.replace(/_(bucket|sum|count)$/, ""));
    // Labels of the format itself, not ours.
    for (const [, label = ""] of labels.matchAll(/(\w+)="/g)) if (label !== "le") metric?.labels.add(label);
  }
  return metrics;
}
