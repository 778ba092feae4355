import { ServiceError } from "@plumbline/errors";

/**
 * The parameters of a query in order, each with all its values. Throws ServiceError invalid_argument when the
 * percent-encoding is broken: `URLSearchParams` would put U+FFFD in its place and go on.
 */
export function parseQuery(query: string): ReadonlyMap<string, readonly string[]> {
  const parameters = new Map<string, string[]>();
  for (const pair of query.split("&")) {
    if (pair === "") continue;
    const [name = "", ...value] = pair.split("=");
    const key = decode(name);
    const values = parameters.get(key) ?? [];
    parameters.set(key, values);
    values.push(decode(value.join("=")));
  }
  return parameters;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    throw new ServiceError("invalid_argument", "The query has a broken percent-encoding.", {
      reason: "MALFORMED_QUERY",
    });
  }
}
