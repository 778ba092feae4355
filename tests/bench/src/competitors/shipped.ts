import { join } from "node:path";
import { defaultTransport } from "@plumbline/rpc";
import {
  type Authorization,
  credentialsOf,
  databases,
  freeStackPorts,
  programs,
  writeCertificates,
} from "@plumbline/tools-stack";
import { writeGuarded } from "./guarded.ts";
import type { Program } from "./program.ts";
import { gateway, greeter, greeterGo, type Parts, type Target } from "./targets.ts";

type Environment = Readonly<Record<string, string>>;
type OfStart = (service: "issuer" | "greeter" | "gateway") => { readonly env: Environment; readonly port: number };

const mode = "as it ships";
/** A client of the issuer for development. */
const caller = "ada";

/**
 * Returns the gateway, and gateway and greeter, with the settings of `npm start` on the default
 * transport: certificates by which they know each other, and access tokens, which SayHello needs
 * here. Only the numbers of limits are those of mode `full`, or a load of one client would meet
 * them.
 */
export async function shipped(parts: Parts): Promise<Target[]> {
  const both = await chain(parts);
  const targets: Target[] = [
    {
      name: `gateway + greeter (${defaultTransport})`,
      group: "chain",
      mode,
      programs: [both.greeter, both.gateway],
      behind: [both.issuer],
      authorization: both.authorization,
    },
  ];
  const { go } = parts;
  if (go === undefined) return targets;
  const { gateway: alone, issuer, authorization, start } = await chain(parts);
  const { env, port } = start("greeter");
  const before = greeterGo(go, "bare")(port);
  targets.push({
    name: `gateway (${defaultTransport})`,
    group: "gateway",
    mode,
    programs: [alone],
    behind: [issuer, { ...before, env: { ...before.env, ...env } }],
    authorization,
  });
  return targets;
}

/** Returns the settings of `npm start` by which a greeter and a gateway know each other. */
export async function certificates(folder: string): Promise<Readonly<Record<"greeter" | "gateway", Environment>>> {
  const start = await startSettings(folder);
  const only = ({ env }: ReturnType<OfStart>) =>
    Object.fromEntries(Object.entries(env).filter(([name]) => /_TLS_|_RPC_CALLERS$/.test(name)));
  return { greeter: only(start("greeter")), gateway: only(start("gateway")) };
}

/** An issuer for development, and what a gateway needs to take its tokens. */
export interface Tokens {
  readonly issuer: Program;
  /** The settings that turn the gateway's authentication on, as `npm start` has them. */
  readonly settings: Environment;
  readonly authorization: () => Promise<Authorization>;
}

/** Returns an issuer of its own. */
export async function tokens(parts: Parts): Promise<Tokens> {
  const start = await startSettings(parts.folder);
  const { env } = start("gateway");
  const settings = Object.entries(env).filter(([name]) => name.startsWith("GATEWAY_AUTH_"));
  return { ...issuerOf(parts, start), settings: { GATEWAY_AUTH_OFF: "false", ...Object.fromEntries(settings) } };
}

/** Returns a program that runs a copy of its bundle whose SayHello needs a token. */
export function guarded(parts: Parts, program: Program): Program {
  const [bundle = "", copy] = [program.args.at(-1), join(parts.folder, `with-tokens-${program.port}.mjs`)];
  writeGuarded(bundle, copy);
  return { ...program, args: [...program.args.slice(0, -1), copy] };
}

async function chain(parts: Parts) {
  const start = await startSettings(parts.folder);
  const [before, front] = [start("greeter"), start("gateway")];
  const behind = greeter(parts, "full", defaultTransport)(before.port);
  const called = gateway(parts, "full", defaultTransport)(front.port, before.port);
  const { GATEWAY_AUTH_OFF: _, ...env } = called.env;
  return {
    start,
    ...issuerOf(parts, start),
    greeter: guarded(parts, { ...behind, env: { ...behind.env, ...before.env } }),
    gateway: guarded(parts, { ...called, env: { ...env, ...front.env } }),
  };
}

function issuerOf(parts: Parts, start: OfStart): Pick<Tokens, "issuer" | "authorization"> {
  const issuer = start("issuer");
  const credentials = credentialsOf(`http://127.0.0.1:${issuer.port}`);
  const args = ["-C", "source", join(parts.root, "apps/issuer/src/main.ts")];
  return {
    issuer: { command: process.execPath, args, ...issuer },
    authorization: () => credentials(caller),
  };
}

/** Returns the settings of `npm start`, for new ports and by an authority of its own. */
async function startSettings(folder: string): Promise<OfStart> {
  const ports = await freeStackPorts();
  const files = join(folder, `identity-${ports.gateway}`);
  writeCertificates(files);
  const none = Object.fromEntries(databases.map((name) => [name, "postgres://127.0.0.1/none"]));
  const all = programs(ports, none as Parameters<typeof programs>[1], { tokens: files, certificates: files });
  return (service) => ({
    env: all.find(({ name }) => name === service)?.environment ?? {},
    port: ports[service],
  });
}
