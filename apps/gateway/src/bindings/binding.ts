import type { DescField, DescMethod, FileRegistry } from "@bufbuild/protobuf";
import { type Transcoder, Transcoders } from "../json/transcode/transcoder.ts";
import { parseTemplate, type Template } from "../template/parse.ts";
import { fieldNamed, fieldPath, isSingleValue } from "./fields.ts";
import { type HttpRule, httpOption, httpRules } from "./http-rule.ts";

/** One HTTP method and path template that leads to one RPC. */
export interface Binding {
  readonly method: DescMethod;
  /** Where gRPC finds it: `/orders.v1.OrdersService/GetOrder`. */
  readonly rpcPath: string;
  readonly httpMethod: string;
  readonly template: Template;
  readonly streams: boolean;
  readonly body: "all" | "none" | DescField;
  /** The field that is the response's body; undefined for the whole answer. */
  readonly responseBody: DescField | undefined;
  /** Writes the method's answers as JSON. */
  readonly answers: Transcoder;
  /** Which of the method's bindings this is, from 0. */
  readonly index: number;
}

/**
 * Every binding of every service in the descriptors. Throws an error naming the method when an annotation cannot work:
 * it names a field that is not there, or streams from the client, which HTTP and JSON cannot.
 */
export function bindingsOf(registry: FileRegistry): readonly Binding[] {
  const option = httpOption(registry);
  if (option === undefined) return [];
  const transcoders = new Transcoders(registry);
  const bindings: Binding[] = [];
  for (const file of registry.files) {
    for (const method of file.services.flatMap((service) => service.methods)) {
      for (const [index, rule] of httpRules(method, option).entries()) {
        bindings.push(toBinding(method, rule, index, transcoders));
      }
    }
  }
  return bindings;
}

function toBinding(method: DescMethod, rule: HttpRule, index: number, transcoders: Transcoders): Binding {
  const problem = (text: string): Error =>
    new Error(`${method.toString()}, ${rule.httpMethod} ${rule.template}: ${text}`);
  if (method.methodKind !== "unary" && method.methodKind !== "server_streaming") {
    throw problem("a method that streams from the client has no HTTP form");
  }
  const template = parseTemplate(rule.template);
  for (const { field: path } of template.variables) {
    const fields = fieldPath(method.input, path);
    if ("unknown" in fields) throw problem(`${method.input.typeName} has no field ${fields.unknown}`);
    if (!fields.slice(-1).every(isSingleValue))
      throw problem(`${path} is not a single value and cannot stand in a path`);
  }
  const field = (name: string, side: "input" | "output"): DescField => {
    const found = fieldNamed(method[side], name);
    if (found === undefined) throw problem(`${method[side].typeName} has no field ${name}`);
    return found;
  };
  return {
    method,
    rpcPath: `/${method.parent.typeName}/${method.name}`,
    httpMethod: rule.httpMethod,
    template,
    streams: method.methodKind === "server_streaming",
    body: rule.body === "*" ? "all" : rule.body === "" ? "none" : field(rule.body, "input"),
    responseBody: rule.responseBody === "" ? undefined : field(rule.responseBody, "output"),
    answers: transcoders.of(method.output),
    index,
  };
}
