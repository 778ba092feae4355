/** The chart's own table of services: files/services.json, which its templates read. */
import { listSettings, type SettingRow } from "@plumbline/config";
import { ownServices, profileRows, type ServiceRow, settingsPrefix } from "@plumbline/tools-stack";
import type { Service } from "../settings/services.ts";

interface ChartRow {
  readonly port: number;
  readonly protocol: "http" | "grpc";
  /** The services that it calls, by the setting that takes the address. */
  readonly upstreams?: Readonly<Record<string, string>>;
  /** The engines that it connects to. */
  readonly engines: readonly Engine[];
  readonly migrates?: true;
  /** It has a document of routes, which may name Services of the cluster. */
  readonly routes?: true;
  readonly settings: Readonly<Record<string, ChartSetting>>;
}

type Engine = "postgres" | "kafka" | "redis" | "suppliers";

interface ChartSetting {
  readonly env: string;
  readonly required?: true;
  readonly secret?: true;
  readonly live?: true;
}

/** The services of the chart, those of compose profiles too. */
export const chartServices: readonly ServiceRow[] = [...ownServices, ...profileRows];

/** Returns the text of files/services.json. */
export function serviceTable(services: readonly Service[]): string {
  const rows = chartServices.map((row) => [row.name, chartRow(row, services)]);
  return `${JSON.stringify(Object.fromEntries(rows), undefined, 1)}\n`;
}

function chartRow(row: ServiceRow, services: readonly Service[]): ChartRow {
  const service = services.find(({ name }) => name === row.name);
  if (service === undefined) throw new Error(`apps/${row.name}/src/config.ts is missing`);
  const settings = listSettings(service.schema, settingsPrefix(row.name));
  return {
    port: row.port,
    protocol: row.http === true ? "http" : "grpc",
    ...(row.upstreams === true && { upstreams: upstreams() }),
    engines: enginesOf(row, settings),
    ...(row.database === true && { migrates: true }),
    ...(settings.some(({ key }) => key === "routes.file") && { routes: true }),
    settings: Object.fromEntries(settings.map((setting) => [setting.key, chartSetting(setting)])),
  };
}

function chartSetting({ env, required, secret, live }: SettingRow): ChartSetting {
  return { env, ...(required && { required }), ...(secret && { secret }), ...(live && { live }) };
}

function upstreams(): Readonly<Record<string, string>> {
  const pairs = ownServices.flatMap(({ name, packages = [] }: ServiceRow) =>
    packages.map((one) => [`upstreams.${one}`, name] as const),
  );
  return Object.fromEntries(pairs);
}

function enginesOf(row: ServiceRow, settings: readonly SettingRow[]): readonly Engine[] {
  const uses = (setting: string) => settings.some(({ key }) => key === setting);
  return [
    ...(row.database === true ? ["postgres" as const] : []),
    ...(row.publishes !== undefined || row.consumes !== undefined ? ["kafka" as const] : []),
    ...(uses("rateLimit.redisUrl") ? ["redis" as const] : []),
    ...(row.calls === undefined ? [] : ["suppliers" as const]),
  ];
}
