import { type DescExtension, type DescMethod, type FileRegistry, getExtension, hasExtension } from "@bufbuild/protobuf";

/** The part of google.api.HttpRule that a gateway needs. */
export interface HttpRule {
  /** In capitals; "*" for every method. */
  readonly httpMethod: string;
  readonly template: string;
  /** "*": the body holds all that the path does not; a field's name: the body is that field; "": there is no body. */
  readonly body: string;
  /** The field of the answer that is the response's body; "" for the whole answer. */
  readonly responseBody: string;
}

/** How the message google.api.HttpRule looks once read by its descriptor. */
interface RawRule {
  readonly pattern: { readonly case?: string; readonly value?: unknown };
  readonly body: string;
  readonly responseBody: string;
  readonly additionalBindings: readonly RawRule[];
}

/** The option google.api.http, if the descriptors know it: without it no method has a rule. */
export function httpOption(registry: FileRegistry): DescExtension | undefined {
  return registry.getExtension("google.api.http");
}

/** The rules of one method: its own and the additional ones, in the order of the proto. */
export function httpRules(method: DescMethod, option: DescExtension): readonly HttpRule[] {
  const { options } = method.proto;
  if (options === undefined || !hasExtension(options, option)) return [];
  const rule = getExtension(options, option) as RawRule;
  return [rule, ...rule.additionalBindings].map((raw) => toRule(raw, method));
}

function toRule(raw: RawRule, method: DescMethod): HttpRule {
  const { body, responseBody, pattern } = raw;
  if (pattern.case === "custom") {
    const custom = pattern.value as { kind: string; path: string };
    return { httpMethod: custom.kind.toUpperCase(), template: custom.path, body, responseBody };
  }
  if (typeof pattern.value !== "string" || pattern.case === undefined) {
    throw new Error(`${method.toString()}: its google.api.http has no pattern`);
  }
  return { httpMethod: pattern.case.toUpperCase(), template: pattern.value, body, responseBody };
}
