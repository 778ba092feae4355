/** A part of a path: text, `*` for exactly one part, or `**` for all remaining parts. */
export type Segment =
  | { readonly kind: "literal"; readonly text: string }
  | { readonly kind: "one" }
  | { readonly kind: "rest" };

/**
 * A request field set by the parts `from` to `to` (exclusive) of the path. `to` is infinite for
 * `**`.
 */
export interface Variable {
  /** The names as written, joined by ".". */
  readonly field: string;
  readonly from: number;
  readonly to: number;
  /** True for more than one part: slashes inside are kept, and `%2F` stays encoded. */
  readonly spansParts: boolean;
}

/** A parsed path template of google.api.http, such as `/v1/{name=shelves/*}:rename`. */
export interface Template {
  readonly text: string;
  readonly segments: readonly Segment[];
  readonly variables: readonly Variable[];
  readonly verb: string | undefined;
}

/** An error in a template, with its position, by the grammar of google/api/http.proto. */
export class TemplateError extends Error {
  override readonly name = "TemplateError";
  constructor(template: string, offset: number, problem: string) {
    super(`template ${JSON.stringify(template)}, character ${offset + 1}: ${problem}`);
  }
}

/**
 * Parses a template by the grammar in google/api/http.proto:
 *
 *     Template = "/" Segments [ Verb ] ;          Segment  = "*" | "**" | LITERAL | Variable ;
 *     Segments = Segment { "/" Segment } ;        Variable = "{" FieldPath [ "=" Segments ] "}" ;
 *     Verb     = ":" LITERAL ;                    FieldPath = IDENT { "." IDENT } ;
 *
 * Throws {@link TemplateError}, also for `**` anywhere but last and for a field bound twice.
 */
export function parseTemplate(text: string): Template {
  const segments: Segment[] = [];
  const variables: Variable[] = [];
  let at = 0;

  const fail = (problem: string, offset = at): never => {
    throw new TemplateError(text, offset, problem);
  };
  const word = (pattern: RegExp, expected: string): string => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0] ?? fail(`expected ${expected}`);
    at += found.length;
    return found;
  };
  const skip = (token: string): boolean => {
    if (!text.startsWith(token, at)) return false;
    at += token.length;
    return true;
  };

  const segment = (insideVariable: boolean): void => {
    if (segments.at(-1)?.kind === "rest") fail("** must be the last part");
    if (skip("**")) segments.push({ kind: "rest" });
    else if (skip("*")) segments.push({ kind: "one" });
    else if (text[at] === "{") variable(insideVariable);
    else segments.push({ kind: "literal", text: literal() });
  };
  const segmentsUntil = (insideVariable: boolean): void => {
    do segment(insideVariable);
    while (skip("/"));
  };
  const literal = (): string => {
    const start = at;
    const raw = word(/[^/{}*:=?#\s]+/y, "a literal");
    try {
      return decodeURIComponent(raw);
    } catch {
      return fail("invalid percent-encoding", start);
    }
  };
  const variable = (inside: boolean): void => {
    if (inside) fail("a variable cannot hold another one");
    const start = at;
    at += 1;
    const field = word(/[A-Za-z_]\w*(\.[A-Za-z_]\w*)*/y, "a field path");
    if (variables.some((other) => other.field === field)) fail(`the field ${field} is bound twice`, start);
    const from = segments.length;
    if (skip("=")) segmentsUntil(true);
    else segments.push({ kind: "one" });
    if (!skip("}")) fail('expected "}"');
    const rest = segments.at(-1)?.kind === "rest";
    const to = rest ? Number.POSITIVE_INFINITY : segments.length;
    variables.push({ field, from, to, spansParts: to - from > 1 });
  };

  if (!skip("/")) fail('expected "/"');
  segmentsUntil(false);
  const verb = skip(":") ? literal() : undefined;
  if (at < text.length) fail(`unexpected ${JSON.stringify(text[at])}`);
  return { text, segments, variables, verb };
}
