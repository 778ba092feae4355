/**
 * `npm run bench`: measures the claims about messaging; exit code 1 if one is missed. The other
 * commands print each figure beside its aim:
 *   competitors  our services beside their Go twins and other Node stacks.
 *                --only rpc,gateway,chain,start; --names A,B: only targets with one of these in
 *                their name; --ms N: length of a measurement (1200); --rate N: calls a second at
 *                the fixed rate (1000), 0 skips it
 *   orders       an order from placed to its end, beside the same by hand on kafkajs and pg.
 *                --only fulfilled,rejected; --names; --orders N in the closed loop (800);
 *                --rate N a second for latency (50); --profile FOLDER: CPU profiles
 *   replicas     two replicas of a service beside one, each limited to a share of a core. --ms
 *   gc           gateway and greeter with young generations of several sizes. --ms, --rate
 *   telemetry    the gateway with and without 10 % of its traces exported. --ms; --profile FOLDER
 *   overload     the gateway at up to twice its peak, with its limit and without. --ms
 *   against      greeter and gateway of this checkout beside another, in pairs.
 *                --checkout FOLDER; --names; --ms
 *   micro        our libraries beside npm packages
 * All take --rounds N (5) and, except overload, --json FILE for every sample.
 */
import { parseArgs } from "node:util";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "5" },
    only: { type: "string" },
    ms: { type: "string", default: "1200" },
    rate: { type: "string" },
    orders: { type: "string", default: "800" },
    names: { type: "string", default: "" },
    json: { type: "string" },
    profile: { type: "string" },
    checkout: { type: "string" },
  },
});

function whole(name: "rounds" | "ms" | "rate" | "orders", least: number, most: number, preset?: number): number {
  const value = Number(values[name] ?? preset);
  if (!Number.isInteger(value) || value < least || value > most) {
    console.error(`--${name} takes a whole number from ${least} to ${most}`);
    process.exit(1);
  }
  return value;
}

const rounds = whole("rounds", 1, 100);
const { json } = values;
const names = values.names.split(",");
const ms = () => whole("ms", 100, 20_000);
const commands: Readonly<Record<string, () => Promise<void>>> = {
  async competitors() {
    const { competitors } = await import("./competitors/competitors.ts");
    const only = (values.only ?? "rpc,gateway,chain,start").split(",");
    await competitors({ rounds, only, names, ms: ms(), rate: whole("rate", 0, 50_000, 1_000), json });
  },
  async orders() {
    const { orders } = await import("./orders/orders.ts");
    const only = (values.only ?? "fulfilled,rejected").split(",");
    const rate = whole("rate", 1, 2_000, 50);
    await orders({ rounds, only, names, orders: whole("orders", 1, 20_000), rate, json, profile: values.profile });
  },
  async replicas() {
    const { replicas } = await import("./replicas/replicas.ts");
    await replicas({ rounds, ms: ms(), json });
  },
  async gc() {
    const { gc } = await import("./gc/gc.ts");
    await gc({ rounds, ms: ms(), rate: whole("rate", 0, 50_000, 0), json });
  },
  async telemetry() {
    const { telemetry } = await import("./telemetry/telemetry.ts");
    await telemetry({ rounds, ms: ms(), json, profile: values.profile });
  },
  async overload() {
    const { overload } = await import("./overload/overload.ts");
    await overload({ rounds, ms: ms() });
  },
  async against() {
    if (values.checkout === undefined) {
      console.error("--checkout FOLDER is missing: the checkout to compare with, after npm ci there");
      process.exit(2);
    }
    const { against } = await import("./against/against.ts");
    await against({ checkout: values.checkout, rounds, names, ms: ms(), json });
  },
  async micro() {
    const { micro } = await import("./micro/micro.ts");
    await micro(rounds, json);
  },
};

// The former name of the command.
const [command] = positionals.map((name) => (name === "peers" ? "competitors" : name));
if (command === undefined) {
  const { claims } = await import("./claims.ts");
  await claims(rounds);
} else if (Object.hasOwn(commands, command)) {
  await commands[command]?.();
} else {
  console.error(`"${command}" is not measured here: expected ${Object.keys(commands).join(", ")}, or nothing`);
  process.exitCode = 1;
}
