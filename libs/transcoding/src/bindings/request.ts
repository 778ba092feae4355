import {
  create,
  fromJson,
  type JsonObject,
  type JsonValue,
  type Message,
  mergeFromJson,
  toBinary,
} from "@bufbuild/protobuf";
import { ServiceError } from "@plumbline/errors";
import { fieldNamed, fieldPath } from "../descriptors/fields.ts";
import { checkMessage } from "../json/check.ts";
import { parseJson } from "../json/parse.ts";
import { Violations } from "../json/violations.ts";
import type { Binding } from "./binding.ts";
import { joinLabel, parameterNamed, putParameter } from "./parameters.ts";
import { parseQuery } from "./query.ts";

/** The parts of an HTTP request that make up the request message. */
export interface RequestParts {
  readonly params: ReadonlyMap<string, string>;
  /** Without "?". */
  readonly query: string;
  /** Empty when there is none. */
  readonly body: Uint8Array;
  /** Of a stream that is resumed: the id of the last event the client saw. */
  readonly lastEventId?: string | undefined;
}

/**
 * Builds the request message and returns its bytes: path variables, then the body, then the query for what neither of them
 * has, as google/api/http.proto says. A field the path sets is taken from the path, whatever a body says.
 * Throws ServiceError invalid_argument with a violation per field that does not fit.
 */
export function bindRequest(binding: Binding, parts: RequestParts): Uint8Array {
  const { registry } = binding;
  const { input } = binding.method;
  const violations = new Violations();
  const body = bodyOf(binding, parts.body);

  const parameters: JsonObject = {};
  if (body !== undefined && typeof binding.body === "object") parameters[binding.body.jsonName] = body;
  putVariables(binding, parts.params, parameters, violations);
  putQuery(binding, parts, parameters, violations);
  putResume(binding, parts.lastEventId, parameters);

  const all = binding.body === "all" ? body : undefined;
  const usual = violations.empty ? binding.requests?.bytes(joined(all, parameters)) : undefined;
  if (usual !== undefined) return usual;

  const what = `The request does not fit ${input.typeName}`;
  if (all !== undefined) checkMessage(input, all, "", { violations, registry });
  checkMessage(input, parameters, "", { violations, registry });
  violations.throwIfAny(what);
  try {
    const message: Message = all === undefined ? create(input) : fromJson(input, all, { registry });
    return toBinary(input, mergeFromJson(input, message, parameters, { registry }));
  } catch (cause) {
    // The checks above know every rule we know of. Should they miss one, the caller still made the mistake.
    throw new ServiceError("invalid_argument", `${what}.`, { reason: "INVALID_REQUEST", cause });
  }
}

/** Body and parameters as one object. What both of them set, or is no object, is left to {@link mergeFromJson}: null. */
function joined(body: JsonValue | undefined, parameters: JsonObject): JsonValue {
  if (body === undefined) return parameters;
  const keys = Object.keys(parameters);
  if (keys.length === 0) return body;
  if (typeof body !== "object" || body === null || Array.isArray(body)) return null;
  return keys.some((key) => Object.hasOwn(body, key)) ? null : { ...body, ...parameters };
}

function putVariables(
  { method, variables }: Binding,
  params: RequestParts["params"],
  target: JsonObject,
  violations: Violations,
): void {
  for (const [name, value] of params) {
    const variable = variables.get(name) ?? parameterNamed(method.input, name);
    if ("problem" in variable) violations.add(joinLabel(name), variable.problem);
    else putParameter(variable, [value], target, violations);
  }
}

function bodyOf(binding: Binding, body: Uint8Array): JsonValue | undefined {
  if (body.length === 0) return undefined;
  if (binding.body !== "none") return parseJson(body);
  throw new ServiceError("invalid_argument", `${binding.httpMethod} ${binding.template.text} takes no body.`, {
    reason: "INVALID_REQUEST",
  });
}

function putQuery(binding: Binding, { query, params }: RequestParts, target: JsonObject, violations: Violations): void {
  if (query === "") return;
  const { input } = binding.method;
  const taken = new Map([...params.keys()].map((path) => [jsonPath(binding, path), "the path"]));
  if (typeof binding.body === "object") taken.set(binding.body.jsonName, "the body");
  for (const [name, values] of parseQuery(query)) {
    const path = jsonPath(binding, name);
    const source = binding.body === "all" ? "the body" : (taken.get(path) ?? taken.get(path.split(".")[0] ?? ""));
    if (source === undefined) {
      const parameter = parameterNamed(input, name);
      if ("problem" in parameter) violations.add(joinLabel(name), parameter.problem);
      else putParameter(parameter, values, target, violations);
      continue;
    }
    if (fieldNamed(input, name.split(".")[0] ?? "") === undefined) violations.add(name, "unknown parameter");
    else violations.add(path, `is taken from ${source}, not from the query`);
  }
}

/** A field's path in JSON names, so that both of its names lead to one; as it stands where there is no such field. */
function jsonPath(binding: Binding, path: string): string {
  const fields = fieldPath(binding.method.input, path);
  return "unknown" in fields ? path : fields.map((field) => field.jsonName).join(".");
}

function putResume({ resumeField: field }: Binding, lastEventId: string | undefined, target: JsonObject): void {
  // It is newer than the URL: a browser repeats the URL as it was and adds what it has seen since.
  if (field !== undefined && lastEventId !== undefined && lastEventId !== "") target[field.jsonName] = lastEventId;
}
