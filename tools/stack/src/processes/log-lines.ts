/**
 * Turns the JSON lines of the services into lines for people: `12:00:01.250 orders   info  order
 * placed  order_id=…`.
 */

const colors = [36, 35, 33, 32, 34, 31];
const hidden = new Set(["time", "level", "message", "service", "trace_id", "span_id", "version"]);
const levels: Readonly<Record<string, number>> = { error: 31, warn: 33 };

/**
 * Characters that a terminal acts on instead of showing them: controls, line ends of Unicode, and
 * marks that reverse the direction of text.
 */
const acting = /[\p{Cc}\u2028-\u202e\u2066-\u2069]/gu;

/** Returns the text with such characters as escapes: ids and names are words of strangers. */
function visible(text: string): string {
  return text.replaceAll(acting, (one) =>
    one === "\t" ? one : `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** `index` picks the colour of the name; `color` off prints plain text. */
export function prettyLine(name: string, line: string, index: number, color: boolean): string {
  const paint = (code: number, text: string) => (color ? `\u001b[${code}m${text}\u001b[0m` : text);
  const prefix = paint(colors[index % colors.length] as number, name.padEnd(9));
  const record = parse(line);
  if (record === undefined) return `${" ".repeat(13)}${prefix}${visible(line)}`;
  const level = String(record["level"] ?? "info");
  const time = visible(String(record["time"] ?? "").slice(11, 23));
  const fields = Object.entries(record)
    .filter(([key]) => !hidden.has(key))
    .map(([key, value]) => `${key}=${typeof value === "string" ? value.split("\n")[0] : JSON.stringify(value)}`)
    .map(visible)
    .join(" ");
  const message = visible(`${level.padEnd(6)}${String(record["message"] ?? "")}`);
  return `${paint(90, time)} ${prefix}${paint(levels[level] ?? 0, message)}${fields === "" ? "" : `  ${paint(90, fields)}`}`;
}

/** Returns the transport that a line names, which a service writes once it listens. */
export function transportIn(line: string): string | undefined {
  const transport = line.includes('"transport"') ? parse(line)?.["transport"] : undefined;
  return typeof transport === "string" ? transport : undefined;
}

function parse(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
