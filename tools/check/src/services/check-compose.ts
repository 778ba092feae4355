/** Compares docker-compose.yml, which is written by hand, with the table of services. */
import { ownServices, profileRows, rows, type ServiceRow, serviceRow, settingsPrefix } from "@plumbline/tools-stack";
import { parse } from "yaml";

interface ComposeService {
  readonly image?: string;
  readonly build?: { readonly args?: Readonly<Record<string, string>> };
  readonly command?: readonly string[];
  readonly profiles?: readonly string[];
  readonly environment?: Readonly<Record<string, unknown>>;
  readonly networks?: readonly string[];
  readonly volumes?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
}

const defaultTable: readonly ServiceRow[] = [...rows, ...profileRows];

/** Returns one sentence for each difference. `variables` are the names that .env sets. */
export function checkCompose(text: string, variables: ReadonlySet<string>, table = defaultTable): string[] {
  const { services } = parse(text, { merge: true }) as { services: Readonly<Record<string, ComposeService>> };
  const unknown = Object.entries(services)
    .filter(([name, { build }]) => build !== undefined && !table.some((row) => name === row.name || isStep(name, row)))
    .map(([name]) => `${name} has no row in tools/stack/src/services.ts`);
  return [...table.flatMap((row) => problemsOf(row, services, variables)), ...unknown].map(
    (problem) => `docker-compose.yml: ${problem}`,
  );
}

function isStep(name: string, row: ServiceRow): boolean {
  return row.database === true && name === `${row.name}-migrate`;
}

function problemsOf(
  row: ServiceRow,
  services: Readonly<Record<string, ComposeService>>,
  variables: ReadonlySet<string>,
): string[] {
  const { name } = row;
  const service = services[name];
  if (service === undefined) return [`${name} of the table of services is missing`];
  const problems: string[] = [];
  const expect = (isRight: boolean, what: string) => {
    if (!isRight) problems.push(`${name} ${what}`);
  };
  const image = `plumbline/${name}:\${PLUMBLINE_TAG}`;
  expect(service.image === image, `needs image: ${image}`);
  expect(service.build?.args?.["APP"] === name, `needs build.args.APP: ${name}`);
  const profile = service.profiles?.join(" ");
  expect(profile === row.profile, row.profile ? `needs profiles: [${row.profile}]` : "must have no profile");
  if (row.standIn !== true) {
    expect(service.volumes?.includes("./config:/app/config:ro") === true, "does not mount ./config at /app/config");
  }
  const prefix = settingsPrefix(name);
  const onEvents = row.publishes !== undefined || row.consumes !== undefined;
  const stores = [...(row.database === true ? ["data"] : []), ...(onEvents ? ["events"] : [])];
  expectNetworks(name, [...(row.upstreams === true ? ["edge"] : []), "calls", ...stores]);
  for (const [setting, called] of Object.entries(row.calls ?? {})) {
    expectAddress(service, `${prefix}_${setting}`, `http://${address(serviceRow(called))}`);
  }
  if (row.upstreams === true) {
    for (const upstream of ownServices) {
      for (const one of upstream.packages ?? []) {
        expectAddress(service, `${prefix}_UPSTREAMS_${settingsPrefix(one)}`, targetOf(upstream));
        expect(
          service.depends_on?.[upstream.name]?.condition === "service_healthy",
          `must depend on ${upstream.name} being healthy`,
        );
      }
    }
  }
  if (row.database === true) {
    const password = `POSTGRES_${prefix}_PASSWORD`;
    const role = prefix.toLowerCase();
    const server = `\${${prefix}_POSTGRES_ADDRESS:-postgres:5432}`;
    const url = `postgresql://${role}:\${${password}}@${server}/${role}`;
    expectAddress(service, `${prefix}_DATABASE_URL`, url);
    const step = services[`${name}-migrate`];
    const ownerPassword = `POSTGRES_${prefix}_OWNER_PASSWORD`;
    const ownerUrl = `postgresql://${role}_owner:\${${ownerPassword}}@${server}/${role}`;
    if (step !== undefined) {
      const found = step.environment?.[`${prefix}_DATABASE_URL`];
      expect(found === ownerUrl, `needs ${prefix}_DATABASE_URL: ${ownerUrl} at its migration step`);
      expectNetworks(`${name}-migrate`, stores);
    }
    for (const one of [password, ownerPassword]) {
      expect(services["postgres"]?.environment?.[one] !== undefined, `needs ${one} at postgres`);
      expect(variables.has(one), `needs ${one} in .env`);
    }
    expect(step?.image === image && step.command?.join(" ") === "main.js migrate", `needs a ${name}-migrate`);
    expect(
      service.depends_on?.[`${name}-migrate`]?.condition === "service_completed_successfully",
      `must depend on ${name}-migrate having completed`,
    );
  }
  if (onEvents) {
    expectAddress(service, `${prefix}_KAFKA_BROKERS`, `\${KAFKA_ADDRESS:-kafka:9092}`);
  }
  return problems;

  function expectNetworks(one: string, networks: readonly string[]): void {
    const isRight = services[one]?.networks?.join(" ") === networks.join(" ");
    if (!isRight) problems.push(`${one} needs networks: [${networks.join(", ")}]`);
  }

  function expectAddress({ environment }: ComposeService, variable: string, value: string): void {
    expect(environment?.[variable] === value, `needs ${variable}: ${value}`);
  }
}

/** Returns the target of a service at the gateway. The file of a profile may set another one. */
function targetOf(row: ServiceRow): string {
  return `\${${settingsPrefix(row.name)}_TARGET:-dns:///${address(row)}}`;
}

function address({ name, port }: ServiceRow): string {
  return `\${${settingsPrefix(name)}_ADDRESS:-${name}:${port}}`;
}
