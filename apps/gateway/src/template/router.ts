import { decodeParts, decodeWhole } from "./decode.ts";
import type { Template } from "./parse.ts";

/** What a request's method and path lead to. */
export type Match<T> =
  | {
      readonly kind: "found";
      readonly value: T;
      readonly template: Template;
      readonly params: ReadonlyMap<string, string>;
    }
  /** The path is known, the method is not: these are (405, Allow). */
  | { readonly kind: "method"; readonly allow: readonly string[] }
  | { readonly kind: "none" };

interface Entry<T> {
  readonly template: Template;
  readonly value: T;
}

/** One place in the tree of templates. `leaves` holds what ends here, by verb ("" for none) and then by HTTP method. */
class Node<T> {
  readonly literals = new Map<string, Node<T>>();
  readonly leaves = new Map<string, Map<string, Entry<T>>>();
  one: Node<T> | undefined;
  rest: Node<T> | undefined;
}

/** The method of a binding that takes every method (`custom: {kind: "*"}`). */
const ANY = "*";

/**
 * Finds the template a path belongs to. Of several, the most specific wins: part by part from the left, a literal before
 * `*` before `**`. A template only counts for the methods it has, so a literal path for POST hides no `{id}` for GET.
 *
 * A `:verb` at the end is a verb wherever some template with that verb fits the rest of the path, under any method:
 * `GET /v1/orders/7:cancel` is then a wrong method, never the order "7:cancel". Elsewhere the colon is part of the text,
 * as is `%3A` everywhere.
 */
export class Router<T> {
  readonly #root = new Node<T>();

  /** Throws when another template of the same shape has the method already: neither would be more right. */
  add(method: string, template: Template, value: T): void {
    let node = this.#root;
    for (const segment of template.segments) {
      if (segment.kind === "literal") {
        const next = node.literals.get(segment.text) ?? new Node<T>();
        node.literals.set(segment.text, next);
        node = next;
      } else {
        node = node[segment.kind] ??= new Node<T>();
      }
    }
    const verb = template.verb ?? "";
    const methods = node.leaves.get(verb) ?? new Map<string, Entry<T>>();
    node.leaves.set(verb, methods);
    const other = methods.get(method);
    if (other !== undefined)
      throw new Error(`${method} ${template.text} matches the same paths as ${other.template.text}`);
    methods.set(method, { template, value });
  }

  /**
   * `path` as received: percent-encoded, without query. HEAD falls back to GET.
   * Throws ServiceError invalid_argument when the percent-encoding is broken.
   */
  match(method: string, path: string): Match<T> {
    const raw = path.slice(1).split("/");
    const parts = raw.map(decodeWhole);
    const candidates: Candidate<T>[] = [];
    this.#withVerb(raw, parts, candidates);
    leaves(this.#root, parts, 0, "", candidates);
    // With a verb that fits, the reading without it is no alternative, not even for another method.
    const verb = candidates[0]?.verb;
    const fitting = candidates.filter((candidate) => candidate.verb === verb);
    for (const { methods, parts: named } of fitting) {
      const entry = methods.get(method) ?? (method === "HEAD" ? methods.get("GET") : undefined) ?? methods.get(ANY);
      if (entry !== undefined) {
        return { kind: "found", ...entry, params: params(entry.template, raw, named) };
      }
    }
    if (fitting.length === 0) return { kind: "none" };
    const allow = new Set(fitting.flatMap(({ methods }) => [...methods.keys()]));
    if (allow.has("GET")) allow.add("HEAD");
    return { kind: "method", allow: [...allow].sort() };
  }

  #withVerb(raw: readonly string[], parts: readonly string[], found: Candidate<T>[]): void {
    const last = raw.at(-1) ?? "";
    const colon = last.lastIndexOf(":");
    if (colon < 0) return;
    const named = [...parts.slice(0, -1), decodeWhole(last.slice(0, colon))];
    leaves(this.#root, named, 0, decodeWhole(last.slice(colon + 1)), found);
  }
}

interface Candidate<T> {
  readonly verb: string;
  readonly methods: ReadonlyMap<string, Entry<T>>;
  readonly parts: readonly string[];
}

/** Adds all that fits, the most specific first. Bounded by the number of templates: a part follows two branches at most. */
function leaves<T>(node: Node<T>, parts: readonly string[], at: number, verb: string, found: Candidate<T>[]): void {
  const part = parts[at];
  if (part === undefined) {
    const methods = node.leaves.get(verb);
    if (methods !== undefined) found.push({ verb, methods, parts });
  } else {
    const literal = node.literals.get(part);
    if (literal !== undefined) leaves(literal, parts, at + 1, verb, found);
    // An empty part is no value: `/v1/orders/` is not the order "".
    if (node.one !== undefined && part !== "") leaves(node.one, parts, at + 1, verb, found);
  }
  const rest = node.rest?.leaves.get(verb);
  if (rest !== undefined) found.push({ verb, methods: rest, parts });
}

function params(template: Template, raw: readonly string[], parts: readonly string[]): Map<string, string> {
  const verb = template.verb === undefined ? 0 : encodedVerbLength(raw.at(-1) ?? "");
  const values = new Map<string, string>();
  for (const { field, from, to, spansParts } of template.variables) {
    if (!spansParts) {
      values.set(field, parts[from] ?? "");
      continue;
    }
    const taken = raw.slice(from, to);
    if (verb > 0 && from + taken.length === raw.length) taken.push((taken.pop() ?? "").slice(0, -verb));
    values.set(field, decodeParts(taken));
  }
  return values;
}

function encodedVerbLength(last: string): number {
  return last.length - last.lastIndexOf(":");
}
