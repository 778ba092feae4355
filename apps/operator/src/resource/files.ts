import { stringify } from "yaml";
import { apiVersion, kind } from "./backend-service.ts";
import { definition } from "./definition.ts";

/** Returns the text of the CRD. */
export function crdFile(): string {
  const comment = "# Generated from backend-service.ts by npm run crd -w apps/operator.\n";
  return comment + stringify(definition(), { lineWidth: 0, aliasDuplicateObjects: false });
}

interface Node {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Node>>;
  readonly additionalProperties?: Node;
  readonly items?: Node;
  readonly "x-kubernetes-validations"?: readonly { readonly message: string }[];
}

interface Definition {
  readonly spec: {
    readonly versions: readonly [{ readonly schema: { readonly openAPIV3Schema: Node } }];
  };
}

/** Returns the page of all fields. */
export function referencePage(): string {
  const root = (definition() as unknown as Definition).spec.versions[0].schema.openAPIV3Schema;
  const { spec, status } = root.properties ?? {};
  return [
    `# ${kind}`,
    "",
    "Generated from the schema by `npm run crd -w apps/operator`.",
    "[operator.md](operator.md) says how to use it.",
    "",
    "```yaml",
    `apiVersion: ${apiVersion}`,
    `kind: ${kind}`,
    "```",
    "",
    ...(root["x-kubernetes-validations"] ?? []).map(({ message }) => `The API server checks: ${message}.`),
    "",
    "## spec",
    "",
    ...table(spec),
    "",
    "## status",
    "",
    ...table(status),
    "",
  ].join("\n");
}

function table(node: Node | undefined): string[] {
  return ["| Field | Takes | Default | |", "|---|---|---|---|", ...rows(node ?? {}, "")];
}

function rows(node: Node, path: string): string[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, inner]) => {
    const field = path === "" ? name : `${path}.${name}`;
    const element = inner.items ?? inner;
    const isNeeded = node.required?.includes(name) === true;
    const preset = inner.default === undefined ? (isNeeded ? "required" : "–") : `\`${JSON.stringify(inner.default)}\``;
    const checks = (inner["x-kubernetes-validations"] ?? []).map(({ message }) => message);
    const text = [inner.description, ...checks].filter((one) => one !== undefined).join("; ");
    return [
      `| \`${field}\` | ${takes(inner)} | ${preset} | ${text} |`,
      ...rows(element, inner.items === undefined ? field : `${field}[]`),
    ];
  });
}

function takes({ type, enum: values, minimum, maximum, additionalProperties, items }: Node): string {
  if (values !== undefined) return `one of ${values.join(", ")}`;
  if (type === "integer") return `a whole number from ${minimum} to ${maximum}`;
  if (type === "number") return `a number from ${minimum} to ${maximum}`;
  if (additionalProperties !== undefined) return "texts by name";
  if (items !== undefined) return "a list";
  return type === "string" ? "text" : "an object";
}
