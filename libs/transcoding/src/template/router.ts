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

type Methods<T> = ReadonlyMap<string, Entry<T>>;

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
    const raw = split(path);
    const parts = path.includes("%") ? raw.map(decodeWhole) : raw;
    const last = raw[raw.length - 1] ?? "";
    const colon = last.lastIndexOf(":");
    // A colon with nothing behind it is text.
    if (colon >= 0 && colon < last.length - 1) {
      const named = parts.with(parts.length - 1, decodeWhole(last.slice(0, colon)));
      const verb = decodeWhole(last.slice(colon + 1));
      const match = this.#read(method, raw, named, verb);
      if (match !== undefined) return match;
      // With a verb that fits, the reading without it is no alternative, not even for another method.
      const fitting = this.#leaves(named, verb);
      if (fitting.length > 0) return refuse(fitting);
    }
    return this.#read(method, raw, parts, "") ?? refuse(this.#leaves(parts, ""));
  }

  #read(method: string, raw: readonly string[], parts: readonly string[], verb: string): Match<T> | undefined {
    const entry = find(this.#root, parts, 0, verb, method);
    if (entry === undefined) return undefined;
    const { value, template } = entry;
    return { kind: "found", value, template, params: params(template, raw, parts) };
  }

  #leaves(parts: readonly string[], verb: string): readonly Methods<T>[] {
    const found: Methods<T>[] = [];
    leaves(this.#root, parts, 0, verb, found);
    return found;
  }
}

/** What stands between the slashes, after the first: by hand, as `split` takes twice as long for a few parts. */
function split(path: string): string[] {
  const parts: string[] = [];
  let start = 1;
  for (let end = path.indexOf("/", start); end >= 0; end = path.indexOf("/", start)) {
    parts.push(path.slice(start, end));
    start = end + 1;
  }
  parts.push(path.slice(start));
  return parts;
}

/**
 * The most specific template that fits and has the method. Bounded by the number of templates: a part follows two branches
 * at most.
 */
function find<T>(
  node: Node<T>,
  parts: readonly string[],
  at: number,
  verb: string,
  method: string,
): Entry<T> | undefined {
  let entry: Entry<T> | undefined;
  const part = parts[at];
  if (part === undefined) entry = entryFor(node.leaves.get(verb), method);
  else {
    const literal = node.literals.get(part);
    if (literal !== undefined) entry = find(literal, parts, at + 1, verb, method);
    // An empty part is no value: `/v1/orders/` is not the order "".
    if (entry === undefined && node.one !== undefined && part !== "")
      entry = find(node.one, parts, at + 1, verb, method);
  }
  return entry ?? (node.rest === undefined ? undefined : entryFor(node.rest.leaves.get(verb), method));
}

function entryFor<T>(methods: Methods<T> | undefined, method: string): Entry<T> | undefined {
  if (methods === undefined) return undefined;
  return methods.get(method) ?? (method === "HEAD" ? methods.get("GET") : undefined) ?? methods.get(ANY);
}

/** The methods of all that fits: what {@link find} looks through, without an end at the first. */
function leaves<T>(node: Node<T>, parts: readonly string[], at: number, verb: string, found: Methods<T>[]): void {
  const part = parts[at];
  if (part === undefined) {
    const methods = node.leaves.get(verb);
    if (methods !== undefined) found.push(methods);
  } else {
    const literal = node.literals.get(part);
    if (literal !== undefined) leaves(literal, parts, at + 1, verb, found);
    if (node.one !== undefined && part !== "") leaves(node.one, parts, at + 1, verb, found);
  }
  const rest = node.rest?.leaves.get(verb);
  if (rest !== undefined) found.push(rest);
}

function refuse<T>(fitting: readonly Methods<T>[]): Match<T> {
  if (fitting.length === 0) return { kind: "none" };
  const allow = new Set(fitting.flatMap((methods) => [...methods.keys()]));
  if (allow.has("GET")) allow.add("HEAD");
  return { kind: "method", allow: [...allow].sort() };
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
