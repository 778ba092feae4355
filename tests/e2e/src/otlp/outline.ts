import type { Span } from "./messages.ts";

/**
 * Returns a trace as an indented text with a line for each span:
 * `orders server orders.v1.OrdersService/PlaceOrder`. Siblings are sorted by their lines, because
 * the clocks of processes differ. A failed span ends with `failed`.
 */
export function outline(spans: readonly Span[]): string {
  const ids = new Set(spans.map((span) => span.spanId));
  const roots = spans.filter((span) => !ids.has(span.parentSpanId));
  return roots.flatMap((root) => lines(root, spans)).join("\n");
}

function lines(span: Span, all: readonly Span[]): string[] {
  const below = all
    .filter(({ parentSpanId }) => parentSpanId === span.spanId)
    .map((child) => lines(child, all))
    .toSorted((a, b) => (a.join("\n") < b.join("\n") ? -1 : 1));
  return [
    `${span.service} ${span.kind} ${span.name}${span.failed ? " failed" : ""}`,
    ...below.flat().map((line) => `  ${line}`),
  ];
}

/**
 * Removes the spans inside a publish, which differ by adapter: one sends by SQL, another over its
 * own protocol.
 */
export function withoutTransport(spans: readonly Span[]): Span[] {
  const publishes = new Set(spans.filter(({ kind }) => kind === "producer").map(({ spanId }) => spanId));
  return spans.filter((span) => span.kind !== "client" || !publishes.has(span.parentSpanId));
}
