import { decodeParts, decodeWhole } from "./decode.ts";
import type { Template } from "./parse.ts";

/** The result of matching a method and a path. */
export type Match<T> =
  | {
      readonly kind: "found";
      readonly value: T;
      readonly template: Template;
      readonly params: ReadonlyMap<string, string>;
    }
  /** The path matches under other methods only, which `allow` lists (405, Allow). */
  | { readonly kind: "method"; readonly allow: readonly string[] }
  | { readonly kind: "none" };

interface Entry<T> {
  readonly template: Template;
  readonly value: T;
}

type Methods<T> = ReadonlyMap<string, Entry<T>>;

/**
 * A node in the tree of templates. `leaves` has the templates that end here, by verb ("" for none)
 * and method.
 */
class Node<T> {
  readonly literals = new Map<string, Node<T>>();
  readonly leaves = new Map<string, Map<string, Entry<T>>>();
  one: Node<T> | undefined;
  rest: Node<T> | undefined;
}

/** The method of a binding for all methods (`custom: {kind: "*"}`). */
const ANY = "*";

/**
 * Finds the template that matches a path. The most specific one wins: part by part from the left, a
 * literal before `*` before `**`. A template counts for its own methods only, so a literal path for
 * POST does not hide `{id}` for GET.
 *
 * A `:verb` at the end is a verb if some template with that verb matches the rest of the path,
 * under any method: `GET /v1/orders/7:cancel` is then a wrong method, never the order "7:cancel".
 * Elsewhere the colon is part of the text, and so is `%3A` everywhere.
 */
export class Router<T> {
  readonly #root = new Node<T>();

  /** Adds a template. Throws if another one matches the same paths under the same method. */
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
   * Matches a path as received: percent-encoded, without query. HEAD falls back to GET.
   * Throws ServiceError invalid_argument for invalid percent-encoding.
   */
  match(method: string, path: string): Match<T> {
    const raw = split(path);
    const parts = path.includes("%") ? raw.map(decodeWhole) : raw;
    const last = raw[raw.length - 1] ?? "";
    const colon = last.lastIndexOf(":");
    // A colon at the very end or start of a part is text: a verb follows a value.
    if (colon > 0 && colon < last.length - 1) {
      const named = parts.with(parts.length - 1, decodeWhole(last.slice(0, colon)));
      const verb = decodeWhole(last.slice(colon + 1));
      const match = this.#read(method, raw, named, verb);
      if (match !== undefined) return match;
      // If the verb matches under another method, the path is never read without it.
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

/**
 * Splits a path at its slashes, without the first. Written by hand: `split` takes twice as long for
 * a few parts.
 */
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
 * Returns the most specific template that matches and has the method. Each part follows at most two
 * branches, so the number of templates bounds the steps.
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
    // An empty part is no value: `/v1/orders/` does not name the order "".
    if (entry === undefined && node.one !== undefined && part !== "")
      entry = find(node.one, parts, at + 1, verb, method);
  }
  return entry ?? (node.rest === undefined ? undefined : entryFor(node.rest.leaves.get(verb), method));
}

function entryFor<T>(methods: Methods<T> | undefined, method: string): Entry<T> | undefined {
  if (methods === undefined) return undefined;
  return methods.get(method) ?? (method === "HEAD" ? methods.get("GET") : undefined) ?? methods.get(ANY);
}

/**
 * Collects the methods of all templates that match, in the order in which {@link find} tries them.
 */
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
