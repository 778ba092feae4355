import type { Span } from "./messages.ts";

/**
 * A trace as an indented text, a line for each span: `orders server orders.v1.OrdersService/PlaceOrder`. Siblings are in
 * the order of their lines, not of their clocks, which differ between processes. `failed` is appended where it did.
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

/** Without what an adapter does within a publish: one sends by SQL, another over its own protocol. */
export function withoutTransport(spans: readonly Span[]): Span[] {
  const publishes = new Set(spans.filter(({ kind }) => kind === "producer").map(({ spanId }) => spanId));
  return spans.filter((span) => span.kind !== "client" || !publishes.has(span.parentSpanId));
}
