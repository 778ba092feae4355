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
import { keepTypeUrls } from "../json/any.ts";
import { checkMessage } from "../json/check.ts";
import { parseJson, roundedNumbers } from "../json/parse.ts";
import { maxDepth } from "../json/scan.ts";
import { Violations } from "../json/violations.ts";
import type { Binding } from "./binding.ts";
import { joinLabel, parameterNamed, putParameter } from "./parameters.ts";
import { parseQuery } from "./query.ts";

/** The parts of an HTTP request that make the request message. */
export interface RequestParts {
  readonly params: ReadonlyMap<string, string>;
  /** The query, without "?". */
  readonly query: string;
  /** The body; empty if there is none. */
  readonly body: Uint8Array;
  /** The id of the last event that the client received, if a stream is resumed. */
  readonly lastEventId?: string | undefined;
}

/**
 * Makes the request message and returns its bytes: path variables, then the body, then the query
 * for all other fields, as in google/api/http.proto. The path wins over the body. Throws
 * ServiceError invalid_argument with a violation per field that does not fit.
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
  const fast = violations.empty ? binding.requests?.bytes(joined(all, parameters)) : undefined;
  if (fast !== undefined) return fast;

  const summary = `The request is not a valid ${input.typeName}`;
  let rounded: ReadonlySet<string> | undefined;
  let ownTypeUrls = false;
  const context = {
    violations,
    registry,
    isRounded: (path: string) =>
      (rounded ??= roundedNumbers(parts.body, typeof binding.body === "object" ? binding.body.jsonName : "")).has(path),
    onTypeUrl: () => void (ownTypeUrls = true),
  };
  const json = all === undefined ? undefined : checkMessage(input, all, "", context);
  checkMessage(input, parameters, "", context);
  violations.throwIfAny(summary);
  try {
    // The checks bound the depth, as decoders count it.
    const options = { registry, recursionLimit: 10 * maxDepth };
    const message: Message = json === undefined ? create(input) : fromJson(input, json, options);
    if (json !== undefined && ownTypeUrls) keepTypeUrls(input, message, json, registry);
    mergeFromJson(input, message, parameters, options);
    if (json === undefined && ownTypeUrls) keepTypeUrls(input, message, parameters, registry);
    return toBinary(input, message);
  } catch (cause) {
    // The checks above know every rule. If they miss one, it is still the caller's mistake.
    throw new ServiceError("invalid_argument", `${summary}.`, { reason: "INVALID_REQUEST", cause });
  }
}

/**
 * Joins body and parameters. Returns null, which the fast path refuses, if they overlap or the body
 * is no object.
 */
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
  throw new ServiceError(
    "invalid_argument",
    `${binding.httpMethod} ${binding.template.text} accepts no body. Send the fields in the path or the query.`,
    {
      reason: "INVALID_REQUEST",
    },
  );
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
    else violations.add(path, `is set by ${source} and cannot be set by the query`);
  }
}

/**
 * Converts a field's path to JSON names, so that both of its names count as one. Unknown paths
 * stay.
 */
function jsonPath(binding: Binding, path: string): string {
  const fields = fieldPath(binding.method.input, path);
  return "unknown" in fields ? path : fields.map((field) => field.jsonName).join(".");
}

function putResume({ resumeField: field }: Binding, lastEventId: string | undefined, target: JsonObject): void {
  // Newer than the URL: a browser repeats the original URL and adds the id of the last event.
  if (field !== undefined && lastEventId !== undefined && lastEventId !== "") target[field.jsonName] = lastEventId;
}
