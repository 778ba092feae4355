import { randomUUID } from "node:crypto";
import { OrderPlaced } from "@plumbline/contracts";
import { createMessage, type Message } from "@plumbline/messaging";
import { readCommand } from "@plumbline/tools-stack/command";
import { spec, toCommand } from "../src/options.ts";
import { run } from "../src/run.ts";

/** Runs a command line as an operator types it. */
export async function call(args: readonly string[], environment: NodeJS.ProcessEnv = {}) {
  const [out, err]: [string[], string[]] = [[], []];
  const surroundings = {
    print: (text: string) => void out.push(`${text}\n`),
    warn: (text: string) => void err.push(`${text}\n`),
  };
  const line = readCommand(spec, args);
  if (line === undefined) throw new Error("help is not asked for");
  return { code: await run(toCommand(line, environment), surroundings), out: out.join(""), err: err.join("") };
}

export function placed(customerId: string): Message {
  const event = { orderId: randomUUID(), customerId, items: [{ sku: "tea", quantity: 2 }], version: 1n };
  return createMessage({
    source: "/plumbline/orders",
    type: "orders.v1.OrderPlaced",
    key: customerId,
    contentType: "application/protobuf",
    data: OrderPlaced.encode(OrderPlaced.fromPartial(event)).finish(),
    headers: { traceparent: `00-${"1".repeat(32)}-${"2".repeat(16)}-01` },
  });
}

export function unique(prefix: string): string {
  return `${prefix}-${randomUUID().slice(0, 13)}`;
}

/** Waits for a condition. Fails after a minute and names the condition. */
export async function eventually(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const end = performance.now() + 60_000;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`still waiting for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
