import { fetchAs, type Stack, table } from "@plumbline/tools-stack";
import type { Report } from "./report.ts";

const orders = 20;
const requestMs = 30_000;
/** The latency of suppliers, which leaves time to cancel. */
const latencyMs = 5_000;

/**
 * Runs replicas of everything. Each order is watched through one gateway and cancelled through the
 * other, so any replica of orders may make the change. Twenty concurrent orders reach each of them.
 */
export async function scale(stack: Stack, print: (text: string) => void): Promise<Report> {
  const replicas = { gateway: 2, orders: 2, worker: 3 };
  print(`scaling to ${JSON.stringify(replicas)}`);
  await stack.up(replicas);
  const [watched = "", cancelled = ""] = await stack.gateways();
  const supplier = await stack.supplier();
  await send(fetch, `${supplier}/v1/settings`, "PATCH", { latencyMs });
  let ends: string[];
  try {
    ends = await Promise.all(Array.from({ length: orders }, () => watchAndCancel(watched, cancelled)));
  } finally {
    await send(fetch, `${supplier}/v1/settings`, "PATCH", { latencyMs: 0 });
  }
  const seen = ends.filter((end) => end === "ORDER_STATUS_CANCELLED").length;
  const running = await Promise.all(
    Object.keys(replicas).map(async (service) => [service, String((await stack.replicas(service)).length)]),
  );
  return {
    ok:
      seen === orders &&
      running.every(([service = "", count]) => String({ ...replicas }[service as "gateway"]) === count),
    text: [
      table(["service", "replicas"], running),
      `  ${seen} of ${orders} orders watched through ${watched} were seen to end, cancelled through ${cancelled}`,
      ...new Set(ends.filter((end) => end !== "ORDER_STATUS_CANCELLED").map((end) => `  seen instead: ${end}`)),
    ].join("\n"),
  };
}

/** Returns the last status that the watcher saw before its stream ended. */
async function watchAndCancel(watched: string, cancelled: string): Promise<string> {
  const placed = await send(fetchAs, `${watched}/v1/orders`, "POST", {
    customerId: "chaos-scale",
    items: [{ sku: "tea", quantity: 1 }],
  });
  const { id } = (await placed.json()) as { id: string };
  const stream = await fetchAs(`${watched}/v1/orders/${id}:watch`, {
    headers: { accept: "text/event-stream" },
    signal: AbortSignal.timeout(requestMs),
  });
  let text = "";
  let isCancelled = false;
  const decoder = new TextDecoder();
  for await (const chunk of stream.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (isCancelled || !text.includes("ORDER_STATUS_PENDING")) continue;
    isCancelled = true;
    await send(fetchAs, `${cancelled}/v1/orders/${id}:cancel`, "POST", {});
  }
  return text.match(/ORDER_STATUS_[A-Z]+/g)?.at(-1) ?? `nothing: ${stream.status} ${text}`;
}

async function send(by: typeof fetchAs, url: string, method: string, body: unknown): Promise<Response> {
  const response = await by(url, {
    method,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(requestMs),
  });
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${await response.text()}`);
  return response;
}
