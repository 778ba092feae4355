/**
 * `npm run bench`: what the README claims of messaging; exit code 1 if a claim is missed. `npm run bench -- peers`: our services beside
 * their twins in Go and what else a user would pick. `npm run bench -- micro`: our libraries beside npm's.
 * `npm run bench -- overload`: the gateway at twice what it can do, with its limit and without.
 * Options: --rounds N (5). Of peers: --only rpc,gateway,chain,start; --names A,B, only targets whose name has one of these; --ms N, how long one measurement takes (1200); --rate N
 * calls a second at a fixed rate (1000; 0 leaves it out); --json FILE. Of micro: --json FILE. Of overload: --ms.
 */
import { parseArgs } from "node:util";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "5" },
    only: { type: "string", default: "rpc,gateway,chain,start" },
    ms: { type: "string", default: "1200" },
    rate: { type: "string", default: "1000" },
    names: { type: "string", default: "" },
    json: { type: "string" },
  },
});

function whole(name: "rounds" | "ms" | "rate", least: number, most: number): number {
  const value = Number(values[name]);
  if (!Number.isInteger(value) || value < least || value > most) {
    console.error(`--${name} takes a whole number from ${least} to ${most}`);
    process.exit(1);
  }
  return value;
}

const rounds = whole("rounds", 1, 100);
const [command] = positionals;
if (command === "peers") {
  const { peers } = await import("./peers/peers.ts");
  const only = values.only.split(",");
  const names = values.names.split(",");
  await peers({ rounds, only, names, ms: whole("ms", 100, 20_000), rate: whole("rate", 0, 50_000), json: values.json });
} else if (command === "overload") {
  const { overload } = await import("./overload/overload.ts");
  await overload({ rounds, ms: whole("ms", 100, 20_000) });
} else if (command === "micro") {
  const { micro } = await import("./micro/micro.ts");
  await micro(rounds, values.json);
} else if (command === undefined) {
  const { claims } = await import("./claims.ts");
  await claims(rounds);
} else {
  console.error(`"${command}" is not measured here: expected peers, micro, overload, or nothing`);
  process.exitCode = 1;
}
