import type { DescField, DescMessage, DescMethod, FileRegistry } from "@bufbuild/protobuf";
import { fieldNamed, fieldPath, isSingleValue } from "../descriptors/fields.ts";
import { type MessageWriter, MessageWriters } from "../json/compiled/message-writer.ts";
import { type Transcoder, Transcoders } from "../json/compiled/transcoder.ts";
import { parseTemplate, type Template } from "../template/parse.ts";
import { type HttpRule, httpOption, httpRules } from "./http-rule.ts";
import { type Parameter, parameterNamed } from "./parameters.ts";

/** An HTTP method and a path template that lead to one RPC. */
export interface Binding {
  /** The descriptors that the binding comes from: a google.protobuf.Any may hold their messages. */
  readonly registry: FileRegistry;
  readonly method: DescMethod;
  /** The path of the RPC in gRPC: `/orders.v1.OrdersService/GetOrder`. */
  readonly rpcPath: string;
  readonly httpMethod: string;
  readonly template: Template;
  readonly streams: boolean;
  readonly body: "all" | "none" | DescField;
  /** The field that is the response's body; undefined for the whole message. */
  readonly responseBody: DescField | undefined;
  /** The fields that the template's variables set, by the variables' names. */
  readonly variables: ReadonlyMap<string, Parameter>;
  /** The request field that `Last-Event-ID` sets, if the method streams and its request has one. */
  readonly resumeField: DescField | undefined;
  /** The field of a stream's messages that becomes an event's id. */
  readonly versionField: DescField | undefined;
  /** Writes requests on the fast path; undefined if only the general path can. */
  readonly requests: MessageWriter | undefined;
  /** Writes the method's responses as JSON. */
  readonly answers: Transcoder;
  /** The index of the binding among those of its method. */
  readonly index: number;
}

/**
 * Lists every binding of every service in the descriptors. Throws an error that names the method if
 * an annotation cannot work: it names an unknown field, or the method streams from the client.
 */
export function bindingsOf(registry: FileRegistry): readonly Binding[] {
  const option = httpOption(registry);
  if (option === undefined) return [];
  const codecs = { registry, transcoders: new Transcoders(registry), writers: new MessageWriters() };
  const bindings: Binding[] = [];
  for (const file of registry.files) {
    for (const method of file.services.flatMap((service) => service.methods)) {
      for (const [index, rule] of httpRules(method, option).entries()) {
        bindings.push(toBinding(method, rule, index, codecs));
      }
    }
  }
  return bindings;
}

interface Codecs {
  readonly registry: FileRegistry;
  readonly transcoders: Transcoders;
  readonly writers: MessageWriters;
}

function toBinding(
  method: DescMethod,
  rule: HttpRule,
  index: number,
  { registry, transcoders, writers }: Codecs,
): Binding {
  const problem = (text: string): Error =>
    new Error(`${method.toString()}, ${rule.httpMethod} ${rule.template}: ${text}`);
  if (method.methodKind !== "unary" && method.methodKind !== "server_streaming") {
    throw problem("a stream from the client has no HTTP form");
  }
  const template = parseTemplate(rule.template);
  const variables = new Map<string, Parameter>();
  for (const { field: path } of template.variables) {
    const fields = fieldPath(method.input, path);
    if ("unknown" in fields) throw problem(`${method.input.typeName} has no field ${fields.unknown}`);
    const variable = parameterNamed(method.input, path);
    if ("problem" in variable || !isSingleValue(variable.field))
      throw problem(`${path} must be a single value to be a path variable`);
    variables.set(path, variable);
  }
  const field = (name: string, side: "input" | "output"): DescField => {
    const found = fieldNamed(method[side], name);
    if (found === undefined) throw problem(`${method[side].typeName} has no field ${name}`);
    return found;
  };
  const streams = method.methodKind === "server_streaming";
  return {
    registry,
    method,
    rpcPath: `/${method.parent.typeName}/${method.name}`,
    httpMethod: rule.httpMethod,
    template,
    streams,
    body: rule.body === "*" ? "all" : rule.body === "" ? "none" : field(rule.body, "input"),
    responseBody: rule.responseBody === "" ? undefined : field(rule.responseBody, "output"),
    variables,
    resumeField: streams ? scalarNamed(method.input, "after_version") : undefined,
    versionField: scalarNamed(method.output, "version"),
    requests: writers.of(method.input),
    answers: transcoders.of(method.output),
    index,
  };
}

function scalarNamed(message: DescMessage, name: string): DescField | undefined {
  return message.fields.find((field) => field.name === name && field.fieldKind === "scalar");
}
