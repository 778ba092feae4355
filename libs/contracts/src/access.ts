/** Reads the access rules of methods, which the protos state beside their HTTP routes. */
import {
  createFileRegistry,
  type DescMethod,
  type FileRegistry,
  fromBinary,
  getOption,
  hasOption,
  type Message,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

/** The callers of a method: those with all of the scopes, everybody, or other services only. */
export type AccessRule =
  | { readonly kind: "scopes"; readonly scopes: readonly string[] }
  | { readonly kind: "public" }
  | { readonly kind: "internal" };

export interface AccessRules {
  /** The rules by path: `/orders.v1.OrdersService/GetOrder`. */
  readonly rules: ReadonlyMap<string, AccessRule>;
  /** One sentence for each method without a usable rule. Such a method has no callers. */
  readonly problems: readonly string[];
}

/** The message plumbline.access.v1.AccessRule. */
interface Rule {
  readonly scopes: readonly string[];
  readonly public: boolean;
  readonly internal: boolean;
}

/** The full name of the option that holds a rule. */
const option = "plumbline.access.v1.rule";
const scope = /^[a-z][a-z0-9-]*:[a-z][a-z0-9-]*$/;
const maxScopes = 10;

/** Reads the rules of all services of the registry. */
export function readAccessRules(registry: FileRegistry): AccessRules {
  const rules = new Map<string, AccessRule>();
  const problems: string[] = [];
  for (const file of registry.files) {
    for (const service of file.services) {
      for (const method of service.methods) {
        const path = `/${service.typeName}/${method.name}`;
        const rule = ruleOf(method, registry);
        if (typeof rule === "string") problems.push(`${path}: ${rule}`);
        else rules.set(path, rule);
      }
    }
  }
  return { rules, problems };
}

/**
 * Returns the rules in a google.protobuf.FileDescriptorSet. Throws an Error that names each method
 * without one.
 */
export function accessRulesOf(descriptors: Uint8Array): ReadonlyMap<string, AccessRule> {
  const { rules, problems } = readAccessRules(createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptors)));
  if (problems.length > 0) throw new Error(problems.join("; "));
  return rules;
}

/** Returns the rule of a method, or the sentence that says what is wrong with it. */
function ruleOf(method: DescMethod, registry: FileRegistry): AccessRule | string {
  const extension = registry.getExtension(option);
  if (extension === undefined || !hasOption(method, extension)) {
    return `no access rule: add option (${option}) = {scopes: ["orders:read"]}, {public: true} or {internal: true}`;
  }
  const rule = getOption(method, extension) as Message & Rule;
  const { scopes } = rule;
  if (Number(scopes.length > 0) + Number(rule.public) + Number(rule.internal) !== 1) {
    return `the access rule needs exactly one of scopes, public: true and internal: true`;
  }
  if (rule.public) return { kind: "public" };
  if (rule.internal) return { kind: "internal" };
  const wrong = scopes.find((name) => !scope.test(name));
  if (wrong !== undefined) return `the scope ${JSON.stringify(wrong)} is not like "orders:read"`;
  if (new Set(scopes).size < scopes.length) return "the access rule names a scope twice";
  if (scopes.length > maxScopes) return `${scopes.length} scopes: at most ${maxScopes} are allowed`;
  return { kind: "scopes", scopes };
}
