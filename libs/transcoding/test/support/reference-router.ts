import { decodeParts, decodeWhole } from "../../src/template/decode.ts";
import type { Template } from "../../src/template/parse.ts";
import type { Match } from "../../src/template/router.ts";

interface Route<T> {
  readonly method: string;
  readonly template: Template;
  readonly value: T;
}

/** A reading of a path: its parts as received and decoded, both without the verb. */
interface Reading {
  readonly raw: readonly string[];
  readonly parts: readonly string[];
  readonly verb: string;
}

interface Fitting<T> {
  readonly route: Route<T>;
  readonly one: Reading;
}

/**
 * What the router says, in the least code and with no thought of time: every template is compared
 * with the path, and those that fit are put in order.
 */
export class ReferenceRouter<T> {
  readonly #routes: Route<T>[] = [];

  add(method: string, template: Template, value: T): void {
    this.#routes.push({ method, template, value });
  }

  #fitting(path: string, verb: string): Fitting<T>[] {
    const raw = path.split("/");
    const one = { raw, parts: raw.map(decodeWhole), verb };
    const fitting = this.#routes.filter(({ template }) => compare(template, one)).map((route) => ({ route, one }));
    return fitting.sort(bySpecificity);
  }

  match(method: string, path: string): Match<T> {
    const colon = path.lastIndexOf(":");
    const hasVerb = colon > path.lastIndexOf("/") + 1 && colon < path.length - 1;
    const withVerb = hasVerb ? this.#fitting(path.slice(1, colon), decodeWhole(path.slice(colon + 1))) : [];
    const fitting = withVerb.length > 0 ? withVerb : this.#fitting(path.slice(1), "");
    if (fitting.length === 0) return { kind: "none" };
    // Under one template the exact method comes before GET for HEAD, and that before "*".
    for (const { route, one } of fitting) {
      const same = fitting.filter((other) => shape(other.route.template) === shape(route.template));
      const wanted = [method, ...(method === "HEAD" ? ["GET"] : []), "*"];
      const found = wanted
        .map((name) => same.find((other) => other.route.method === name))
        .find((other) => other !== undefined);
      if (found === undefined) continue;
      const { template, value } = found.route;
      return { kind: "found", value, template, params: params(template, one) };
    }
    const allow = new Set(fitting.map(({ route }) => route.method));
    if (allow.has("GET")) allow.add("HEAD");
    return { kind: "method", allow: [...allow].sort() };
  }
}

function compare({ segments, verb = "" }: Template, { parts, verb: wanted }: Reading): boolean {
  const isOpen = segments.at(-1)?.kind === "rest";
  if (verb !== wanted || (isOpen ? parts.length < segments.length - 1 : parts.length !== segments.length)) return false;
  return segments.every((segment, at) => {
    if (segment.kind === "rest") return true;
    return segment.kind === "literal" ? segment.text === parts[at] : parts[at] !== "";
  });
}

const ranks = { literal: 0, one: 1, rest: 2 };

function bySpecificity<T>(a: Fitting<T>, b: Fitting<T>): number {
  const [left, right] = [a.route.template.segments, b.route.template.segments];
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    // The path ends where `**` begins: a template that ends there too is more specific.
    const difference = ranks[left[at]?.kind ?? "literal"] - ranks[right[at]?.kind ?? "literal"];
    if (difference !== 0) return difference;
  }
  return 0;
}

function shape({ segments, verb }: Template): string {
  return JSON.stringify([segments, verb]);
}

function params(template: Template, { raw, parts }: Reading): ReadonlyMap<string, string> {
  return new Map(
    template.variables.map(({ field, from, to, spansParts }) => [
      field,
      spansParts ? decodeParts(raw.slice(from, to)) : (parts[from] ?? ""),
    ]),
  );
}
