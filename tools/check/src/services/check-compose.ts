/** Compares docker-compose.yml, which is written by hand, with the table of services. */
import {
  flagRows,
  identityOf,
  ownServices,
  profileRows,
  rows,
  type ServiceRow,
  serviceRow,
  settingsPrefix,
} from "@plumbline/tools-stack";
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
  readonly secrets?: readonly string[];
}

interface ComposeFile {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
}

/** The variables of a certificate's files, without their start, and the files. */
const certificateFiles = {
  CA_FILE: "ca.crt",
  CERTIFICATE_FILE: "tls.crt",
  KEY_FILE: "tls.key",
};

/** The passwords for development. */
export const secretsFolder = "deploy/compose/secrets";

const defaultTable: readonly ServiceRow[] = [...rows, ...flagRows, ...profileRows];

/** Returns one sentence for each difference. `files` are the names in the folder of passwords. */
export function checkCompose(text: string, files: ReadonlySet<string>, table = defaultTable): string[] {
  const compose = parse(text, { merge: true }) as ComposeFile;
  const { services } = compose;
  const unknown = Object.entries(services)
    .filter(([name, { build }]) => build !== undefined && !table.some((row) => name === row.name || isStep(name, row)))
    .map(([name]) => `${name} has no row in tools/stack/src/services.ts`);
  return [...table.flatMap((row) => problemsOf(row, compose, files)), ...unknown].map(
    (problem) => `docker-compose.yml: ${problem}`,
  );
}

/** Returns the identity that the other side of a call sees: that of a proxy, if there is one. */
function seenOf(service: string): string {
  return identityOf(`\${PLUMBLINE_PROXY:-${service}}`);
}

function isStep(name: string, row: ServiceRow): boolean {
  return row.database === true && name === `${row.name}-migrate`;
}

function problemsOf(row: ServiceRow, { services, secrets }: ComposeFile, files: ReadonlySet<string>): string[] {
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
  const called = Object.values(row.calls ?? {}).map((one) => serviceRow(one).network ?? "calls");
  const calls = row.network === undefined ? ["calls", ...stores, ...called] : [row.network];
  // The gateway has the tokens of clients, and shares its counts with its replicas.
  expectNetworks(name, row.upstreams === true ? ["edge", ...calls, "identity", "limits"] : calls);
  if (row.packages !== undefined) {
    expectCertificate(`${prefix}_RPC_TLS`);
    // It believes the gateway about who the client is, by its certificate or its address.
    const callers = ownServices.filter(({ upstreams }) => upstreams === true).map((caller) => seenOf(caller.name));
    expectVariables(name, {
      [`${prefix}_RPC_CALLERS`]: `\${PLUMBLINE_MTLS:+${callers.join(",")}}`,
      [`${prefix}_RPC_PRINCIPAL_PEERS`]: "${PLUMBLINE_PLAIN_CALLS:+${PLUMBLINE_CALLS_SUBNET}}",
    });
  }
  if (row.upstreams === true) expectCertificate(`${prefix}_UPSTREAM_TLS`);
  for (const [setting, called] of Object.entries(row.calls ?? {})) {
    expectAddress(service, `${prefix}_${setting}`, `http://${address(serviceRow(called))}`);
  }
  if (row.upstreams === true) {
    for (const upstream of ownServices) {
      for (const one of upstream.packages ?? []) {
        expectAddress(service, `${prefix}_UPSTREAMS_${settingsPrefix(one)}`, targetOf(upstream));
        const id = `\${PLUMBLINE_MTLS:+${seenOf(upstream.name)}}`;
        expectVariables(name, { [`${prefix}_UPSTREAM_IDS_${settingsPrefix(one)}`]: id });
        expect(
          service.depends_on?.[upstream.name]?.condition === "service_healthy",
          `must depend on ${upstream.name} being healthy`,
        );
      }
    }
  }
  const step = `${name}-migrate`;
  if (row.database === true) {
    const role = prefix.toLowerCase();
    expectRole(name, role, `${name}-password`);
    expectSecret(`${name}-password`, "postgres");
    if (services[step] !== undefined) {
      expectRole(step, `${role}_owner`, `${name}-owner-password`);
      expectSecret(`${name}-owner-password`, "postgres");
      expectNetworks(step, stores);
      expectSecrets(step, [`${name}-owner-password`, ...(onEvents ? ["kafka-password"] : [])]);
    }
    expectSecrets(name, [`${name}-password`, ...(onEvents ? [`${name}-kafka-password`] : [])]);
    const { image: stepImage, command } = services[step] ?? {};
    expect(stepImage === image && command?.join(" ") === "main.js migrate", `needs a ${step}`);
    expect(
      service.depends_on?.[step]?.condition === "service_completed_successfully",
      `must depend on ${step} having completed`,
    );
  }
  if (onEvents) {
    expectAddress(service, `${prefix}_KAFKA_BROKERS`, `\${KAFKA_ADDRESS:-kafka:9092}`);
    expectUser(name, name, `${name}-kafka-password`);
    expectSecret(`${name}-kafka-password`, "kafka");
    // It alone may create topics, and gives the service's user its own.
    expectUser(step, "kafka", "kafka-password");
    expectVariables(step, { [`${prefix}_MESSAGING_ROLE`]: name });
  }
  return problems;

  /** Expects a certificate for this section of settings, whose key no other container mounts. */
  function expectCertificate(section: string): void {
    const { volumes = [], depends_on = {} } = services[name] ?? {};
    for (const [variable, file] of Object.entries(certificateFiles)) {
      const isOfClients = variable === "CA_FILE" && section.endsWith("_RPC_TLS");
      const setting = `${section}_${isOfClients ? "CLIENT_" : ""}${variable}`;
      expectVariables(name, { [setting]: `\${PLUMBLINE_MTLS:+/run/tls/${file}}` });
    }
    const volume = `${name}-tls`;
    expect(volumes.includes(`${volume}:/run/tls:ro`), `needs the volume ${volume}:/run/tls:ro`);
    const made = `${volume}:/services/${name}`;
    expect(services["certificates"]?.volumes?.includes(made) === true, `needs the volume ${made} at certificates`);
    for (const [other, { volumes: mounted = [] }] of Object.entries(services)) {
      if (other === name || other === "certificates") continue;
      expect(!mounted.some((one) => one.startsWith(`${volume}:`)), `has a private key that ${other} mounts`);
    }
    expect(
      depends_on["certificates"]?.condition === "service_completed_successfully",
      "must depend on certificates having completed",
    );
  }

  function expectNetworks(one: string, networks: readonly string[]): void {
    const isRight = services[one]?.networks?.join(" ") === networks.join(" ");
    if (!isRight) problems.push(`${one} needs networks: [${networks.join(", ")}]`);
  }

  /** Expects the role of a container at PostgreSQL, and its password from a file. */
  function expectRole(one: string, role: string, secret: string): void {
    const url = `postgresql://${role}@\${${prefix}_POSTGRES_ADDRESS:-postgres:5432}/${prefix.toLowerCase()}`;
    expectVariables(one, {
      [`${prefix}_DATABASE_URL`]: url,
      [`${prefix}_DATABASE_PASSWORD_FILE`]: `/run/secrets/${secret}`,
    });
  }

  /** Expects the user of a container at Kafka, and its password from a file. */
  function expectUser(one: string, user: string, secret: string): void {
    expectVariables(one, {
      [`${prefix}_KAFKA_SASL_MECHANISM`]: "plain",
      [`${prefix}_KAFKA_SASL_USERNAME`]: user,
      [`${prefix}_KAFKA_SASL_PASSWORD_FILE`]: `/run/secrets/${secret}`,
    });
  }

  function expectVariables(one: string, wanted: Readonly<Record<string, string>>): void {
    for (const [variable, value] of Object.entries(wanted)) {
      if (services[one]?.environment?.[variable] !== value) problems.push(`${one} needs ${variable}: ${value}`);
    }
  }

  /** Expects that a container lists these secrets and no others. */
  function expectSecrets(one: string, names: readonly string[]): void {
    if (services[one]?.secrets?.join(" ") !== names.join(" ")) {
      problems.push(`${one} needs secrets: [${names.join(", ")}]`);
    }
  }

  /** Expects a file with a password, which the engine reads too. */
  function expectSecret(secret: string, engine: string): void {
    const file = `\${PLUMBLINE_SECRETS}/${secret}`;
    if (secrets[secret]?.file !== file) problems.push(`secrets need ${secret}: { file: "${file}" }`);
    expect(services[engine]?.secrets?.includes(secret) === true, `needs the secret ${secret} at ${engine}`);
    expect(files.has(secret), `needs a file ${secretsFolder}/${secret}`);
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
