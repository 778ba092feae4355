import { resolve } from "node:path";
import { flagRows, rows } from "@plumbline/tools-stack";
import { parse } from "yaml";
import type { Started } from "./started.ts";

interface ComposeFile {
  readonly secrets?: Readonly<Record<string, { readonly file: string }>>;
  readonly services: Readonly<Record<string, ComposeService>>;
}

interface ComposeService {
  readonly build?: { readonly args?: { readonly APP?: string } };
  readonly environment?: Readonly<Record<string, unknown>>;
  readonly secrets?: readonly string[];
}

const root = resolve(import.meta.dirname, "../../../..");

/** They stand in for other companies' services: they have no schema of ours. */
const standIns: ReadonlySet<string> = new Set(
  [...rows, ...flagRows].filter(({ standIn }) => standIn === true).map(({ name }) => name),
);

/**
 * Returns the apps that a compose file starts, with the environment of their containers.
 * `variables` are those of `.env`. The path of a secret becomes that of its file here. Throws if
 * the file uses an unknown variable without a default, or a container a secret that it does not
 * list.
 */
export function composeServices(text: string, variables: ReadonlyMap<string, string>): readonly Started[] {
  const { services, secrets = {} } = parse(text, { merge: true }) as ComposeFile;
  return Object.entries(services).flatMap(([name, { build, environment = {}, secrets: listed = [] }]) => {
    const app = build?.args?.APP;
    if (app === undefined || standIns.has(app)) return [];
    if (Array.isArray(environment)) throw new Error(`${name}: write environment as a map, NAME: value, not as a list`);
    const values = Object.entries(environment).map(([key, value]) => {
      const where = `${name}: ${key}`;
      const [, secret] = /^\/run\/secrets\/(.+)$/.exec(String(value)) ?? [];
      if (secret === undefined) return [key, interpolate(String(value ?? ""), variables, where)];
      const file = listed.includes(secret) ? secrets[secret]?.file : undefined;
      if (file === undefined) throw new Error(`${where} reads the secret ${secret}: add it to the secrets of ${name}`);
      return [key, resolve(root, interpolate(file, variables, where))];
    });
    return [{ where: `${name} in docker-compose.yml`, app, environment: Object.fromEntries(values) }];
  });
}

/** Returns the variables of an `.env` file of plain NAME=value lines. */
export function envFile(text: string): ReadonlyMap<string, string> {
  return new Map([...text.matchAll(/^(\w+)=(.*)$/gm)].map(([, name = "", value = ""]) => [name, value]));
}

/**
 * Interpolates the forms that the file uses: ${NAME}, ${NAME:-default}, ${NAME:+text if it is set},
 * with others in the last two, and $$ for a dollar.
 */
function interpolate(text: string, variables: ReadonlyMap<string, string>, where: string): string {
  const form = /\$\$|\$\{(\w+)(?::([-+])((?:\$\{[^}]*\}|[^}])*))?\}/g;
  return text.replaceAll(form, (whole, name?: string, operator?: string, inner = "") => {
    if (name === undefined) return whole.slice(1);
    const value = variables.get(name);
    const isSet = value !== undefined && value !== "";
    if (operator !== undefined && isSet === (operator === "+")) return interpolate(inner, variables, where);
    if (operator === "+") return "";
    if (value === undefined) throw new Error(`${where} uses \${${name}}, which .env does not set: add it there`);
    return value;
  });
}
