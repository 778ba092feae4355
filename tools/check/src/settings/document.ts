import { listSettings, type SettingRow } from "@plumbline/config";
import type { Service } from "./services.ts";

const head = `# Settings

Made by \`npm run settings\` from the schemas in \`apps/*/src/config.ts\`; \`npm run check\` is red when it is stale.

A setting comes from \`config/SERVICE.yaml\` (or the file that \`SERVICE_CONFIG_FILE\` names) and from the environment, which wins: \`rpc.port\` of
orders is \`ORDERS_RPC_PORT\`. With \`_FILE\` behind it, a variable names a file that holds the value, as secrets are mounted. An empty variable is one
that is not set. A wrong value, an unknown variable and a missing setting end the start with a list of all of them.
`;

/** The page that describes the settings of all services. */
export function settingsDocument(services: readonly Service[]): string {
  return [head, ...services.map(section)].join("\n");
}

function section({ name, schema }: Service): string {
  const rows = listSettings(schema, name.toUpperCase()).map(line);
  return [`## ${name}`, "", "| Variable | Key | Takes | Default | |", "|---|---|---|---|---|", ...rows, ""].join("\n");
}

function line(row: SettingRow): string {
  const takes = row.isList ? `${row.expected}, written \`a, b\`` : row.expected;
  const notes = [row.secret ? "**secret**" : "", row.description ?? ""].filter((note) => note !== "").join("; ");
  return `| \`${row.env}\` | \`${row.key}\` | ${cell(takes)} | ${preset(row)} | ${cell(notes)} |`;
}

function preset({ default: value, required }: SettingRow): string {
  if (value === undefined) return required ? "**required**" : "–";
  return `\`${Array.isArray(value) ? value.join(", ") : String(value)}\``;
}

/** A bar would begin a new cell. */
function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
