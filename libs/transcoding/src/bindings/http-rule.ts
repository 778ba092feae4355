import { type DescExtension, type DescMethod, type FileRegistry, getExtension, hasExtension } from "@bufbuild/protobuf";

/** The parts of a google.api.HttpRule that a gateway needs. */
export interface HttpRule {
  /** In capitals; "*" for every method. */
  readonly httpMethod: string;
  readonly template: string;
  /**
   * "*": the body has all fields that the path does not set; a field's name: the body is that
   * field; "": no body.
   */
  readonly body: string;
  /** The field of the response message that is the body; "" for the whole message. */
  readonly responseBody: string;
}

/** The message google.api.HttpRule as read through its descriptor. */
interface RawRule {
  readonly pattern: { readonly case?: string; readonly value?: unknown };
  readonly body: string;
  readonly responseBody: string;
  readonly additionalBindings: readonly RawRule[];
}

/**
 * Returns the option google.api.http; undefined if the descriptors do not contain it, and then no
 * method has a rule.
 */
export function httpOption(registry: FileRegistry): DescExtension | undefined {
  return registry.getExtension("google.api.http");
}

/** Lists the rules of a method: its own and the additional ones, in the order of the proto. */
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
    throw new Error(`${method.toString()}: google.api.http has no pattern, such as get: "/v1/..."`);
  }
  return { httpMethod: pattern.case.toUpperCase(), template: pattern.value, body, responseBody };
}
