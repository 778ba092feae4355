/** `npm run bench`: figures beside their aims. */
import { resolve } from "node:path";
import { defaultKafkaClient, kafkaClients } from "@plumbline/messaging/settings";
import { generateContracts } from "@plumbline/tools-stack";
import { choice, flag, oneOf, runCommand, text, UsageError, whole } from "@plumbline/tools-stack/command";
import { endOnSignals, interrupted, interruptedCode } from "./interruption.ts";

const words = {
  competitors: "our services beside their Go twins and other Node stacks",
  orders: "an order from placed to its end, beside the same by hand on kafkajs and pg",
  curves: "orders, lists and the relay over ever more stored rows",
  replicas: "two replicas of a service beside one, each limited to a share of a core",
  gc: "gateway and greeter with young generations of several sizes",
  tail: "what happened during the slowest calls of gateway and greeter, and of Go's",
  telemetry: "the gateway with none, 10 % and all of its traces exported",
  mtls: "gateway and greeter with certificates beside the same in the clear",
  tokens: "the gateway with an access token on each call beside the same without authentication",
  overload: "the gateway at up to twice its peak, with its limit and without",
  against: "greeter, gateway and orders of this checkout beside another, in pairs",
  allocations: "bytes that greeter and gateway allocate for a call, beside the baseline",
  micro: "our libraries beside npm packages, and the cost of a flag",
};
type Word = keyof typeof words;

/**
 * The commands that each option belongs to. The claims about messaging, which have no word, take
 * --rounds only.
 */
const takers: Readonly<Record<string, readonly Word[]>> = {
  only: ["competitors", "orders", "against"],
  names: ["competitors", "orders", "against", "tail"],
  ms: ["competitors", "replicas", "gc", "telemetry", "mtls", "tokens", "overload", "against", "tail"],
  rate: ["competitors", "orders", "gc", "tail"],
  flags: ["tail"],
  shares: ["gc", "tail"],
  orders: ["orders", "curves", "against"],
  rows: ["curves"],
  client: ["orders"],
  profile: ["orders", "telemetry"],
  checkout: ["against"],
  update: ["allocations"],
  json: [
    "competitors",
    "orders",
    "curves",
    "replicas",
    "gc",
    "telemetry",
    "mtls",
    "tokens",
    "against",
    "micro",
    "tail",
  ],
};
/** Rounds where five are too few for an interval that says something. */
const moreRounds: Partial<Record<Word, number>> = { competitors: 8, telemetry: 10, mtls: 10, tokens: 10, against: 8 };
const percents = (text: string | undefined): number[] =>
  (text?.split(",") ?? []).map((part) => {
    const percent = /^\d{1,3}$/.test(part) ? Number(part) : 0;
    if (percent < 1 || percent > 100) throw new UsageError(`--shares takes percents from 1 to 100, not "${part}"`);
    return percent;
  });
const flagsOf = (text: string | undefined): string[] => text?.split(",").map((flag) => `--${flag}`) ?? [];
const of = (option: string) => ` [${takers[option]?.join(", ")}]`;

endOnSignals();
await runCommand(
  {
    name: "npm run bench",
    about: "Measures, and prints each figure beside its aim. Without a command it measures the claims about messaging.",
    // The former name of the command still works.
    words: { ...words, peers: "the former name of competitors" },
    wordsAs: "[COMMAND]",
    options: {
      rounds: whole("rounds of each measurement; 5, or 8 to 10 for ratios, by default", { least: 1, most: 100 }),
      only: text(`parts: rpc,gateway,chain,start or fulfilled,rejected or calls,orders${of("only")}`, { takes: "A,B" }),
      names: text(`only targets with one of these in their name${of("names")}`, { takes: "A,B" }),
      ms: whole(`length of a measurement, 1200 by default, 800 for competitors, 10000 for tail${of("ms")}`, {
        least: 100,
        most: 20_000,
      }),
      rate: whole(`calls a second at the fixed rate, 0 skips it${of("rate")}`, { least: 0, most: 50_000 }),
      flags: text(`flags of Node for our services${of("flags")}`, { takes: "FLAG,..." }),
      shares: text(`percent of its peak at which each is measured too${of("shares")}`, { takes: "50,80" }),
      orders: whole(`orders in the closed loop, 800 by default${of("orders")}`, { least: 1, most: 20_000 }),
      rows: whole(`most rows of a curve, 1000000 by default${of("rows")}`, { least: 1_000, most: 10_000_000 }),
      client: choice(`client library for Kafka${of("client")}`, kafkaClients),
      profile: text(`writes CPU profiles there${of("profile")}`, { takes: "FOLDER" }),
      checkout: text(`the other checkout, after npm ci there${of("checkout")}`, { takes: "FOLDER" }),
      update: flag(`writes the baseline${of("update")}`),
      json: text("writes every sample there", { takes: "FILE" }),
    },
    notes: [
      "Ctrl-C ends it, and all that it started.",
      "Exit codes: 0 measured, 130 interrupted, 1 a claim about messaging, an aim of against, the baseline or the limit of a flag is missed, 2 wrong command line.",
    ],
  },
  async ({ words: [word, ...more], values }) => {
    if (more.length > 0) throw new UsageError(`it takes one command, not also ${JSON.stringify(more[0])}`);
    const command = word === "peers" ? "competitors" : (word as Word | undefined);
    for (const [option, belongsTo] of Object.entries(takers)) {
      const value = values[option as keyof typeof values];
      if (value !== undefined && value !== false && (command === undefined || !belongsTo.includes(command))) {
        throw new UsageError(`--${option} belongs to ${belongsTo.join(", ")}`);
      }
    }
    const { ms = 1_200, json, profile } = values;
    const { rounds = (command && moreRounds[command]) ?? 5 } = values;
    const names = (values.names ?? "").split(",");
    const only = <T extends string>(parts: readonly T[]) =>
      values.only?.split(",").map((part) => oneOf(part, parts, "--only takes")) ?? [...parts];
    const commands: Readonly<Record<Word, () => Promise<() => Promise<void>>>> = {
      async competitors() {
        const chosen = only(["rpc", "gateway", "chain", "start"]);
        const { competitors } = await import("./competitors/competitors.ts");
        return () =>
          competitors({ rounds, only: chosen, names, ms: values.ms ?? 800, rate: values.rate ?? 1_000, json });
      },
      async orders() {
        const { rate = 50, orders: count = 800, client = defaultKafkaClient } = values;
        if (rate < 1 || rate > 2_000) throw new UsageError(`--rate takes a whole number from 1 to 2000, not "${rate}"`);
        const chosen = only(["fulfilled", "rejected"]);
        const { orders } = await import("./orders/orders.ts");
        return () => orders({ rounds, only: chosen, names, orders: count, rate, json, client, profile });
      },
      async curves() {
        const { orders: count = 800, rows = 1_000_000 } = values;
        const { curves } = await import("./curves/curves.ts");
        return () => curves({ rounds, orders: count, rows, json });
      },
      async replicas() {
        const { replicas } = await import("./replicas/replicas.ts");
        return () => replicas({ rounds, ms, json });
      },
      async gc() {
        const { gc } = await import("./gc/gc.ts");
        return () => gc({ rounds, ms, rate: values.rate ?? 1_000, shares: percents(values.shares), json });
      },
      async tail() {
        const { rate = 1_000 } = values;
        if (rate === 0) throw new UsageError("--rate takes a whole number from 1 on for tail");
        const { tail } = await import("./tail/tail.ts");
        return () =>
          tail({
            rounds,
            ms: values.ms ?? 10_000,
            rate,
            shares: percents(values.shares),
            flags: flagsOf(values.flags),
            names,
            json,
          });
      },
      async telemetry() {
        const { telemetry } = await import("./telemetry/telemetry.ts");
        return () => telemetry({ rounds, ms, json, profile });
      },
      async tokens() {
        const { tokens } = await import("./tokens/tokens.ts");
        return () => tokens({ rounds, ms, json });
      },
      async mtls() {
        const { mtls } = await import("./mtls/mtls.ts");
        return () => mtls({ rounds, ms, json });
      },
      async overload() {
        const { overload } = await import("./overload/overload.ts");
        return () => overload({ rounds, ms });
      },
      async against() {
        const { checkout, orders = 800 } = values;
        if (checkout === undefined) throw new UsageError("against needs --checkout FOLDER");
        const chosen = only(["calls", "orders"]);
        const { against } = await import("./against/against.ts");
        return () => against({ checkout, only: chosen, rounds, orders, names, ms, json });
      },
      async allocations() {
        await generateContracts(root);
        const { guardAllocations } = await import("./allocations/guard.ts");
        return () => guardAllocations(root, { update: values.update });
      },
      async micro() {
        const { micro } = await import("./micro/micro.ts");
        return () => micro(rounds, json);
      },
    };
    const root = resolve(import.meta.dirname, "../../..");
    if (command === undefined) {
      await generateContracts(root);
      const { claims } = await import("./claims.ts");
      await claims(rounds);
    } else await (await commands[command]())();
  },
);
if (interrupted.aborted) process.exitCode = interruptedCode;
