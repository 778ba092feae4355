import { eventToJson } from "@plumbline/contracts";
import { type DeadLetter, type ReplayStep, readableData, sumLags } from "@plumbline/messaging/dead-letters";
import type { GroupLag } from "@plumbline/messaging/inspect";

/** Returns rows in columns as wide as their widest cell. Numbers are aligned to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((name, column) => Math.max(name.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) =>
        /^\d+$|^-$/.test(cell) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join("  ")
      .trimEnd();
  return [head, ...rows].map(line).join("\n");
}

export function letterTable(letters: readonly DeadLetter[]): string {
  return table(
    ["failed at", "topic", "group", "type", "key", "id", "attempts", "error"],
    letters.map((letter) => [
      letter.failedAt.toISOString(),
      letter.origin,
      letter.group,
      clean(letter.message.type),
      clean(letter.message.key),
      clean(letter.message.id),
      String(letter.attempts),
      clean(`${letter.replayed ? "(replayed) " : ""}${letter.error}`, 60),
    ]),
  );
}

/** Returns a dead letter in full. */
export function letterText(letter: DeadLetter): string {
  const { message } = letter;
  const lines: [string, string][] = [
    ["id", message.id],
    ["source", message.source],
    ["type", message.type],
    ["key", message.key],
    ["time", message.time.toISOString()],
    ["topic", letter.origin],
    ["group", letter.group],
    ["failed at", letter.failedAt.toISOString()],
    ["attempts", String(letter.attempts)],
    ["error", `${letter.code}: ${letter.error}`],
    ["replayed", letter.replayed ? "yes" : "no"],
    ["location", `${letter.topic}, partition ${letter.partition}, offset ${letter.offset}`],
    ...Object.entries(message.headers)
      .filter(([name]) => !name.startsWith("plumbline-"))
      .map(([name, value]): [string, string] => [`header ${name}`, value]),
    ["content type", message.contentType],
    ["data", readableData(message, eventToJson)],
  ];
  const width = Math.max(...lines.map(([name]) => name.length));
  return lines.map(([name, value]) => `${name.padEnd(width)}  ${clean(value, 20_000)}`).join("\n");
}

export function letterJson(letter: DeadLetter): object {
  const { message, topic, offset, ...rest } = letter;
  return {
    ...rest,
    deadTopic: topic,
    offset: String(offset),
    message: { ...message, data: undefined },
    data: readableData(message, eventToJson),
  };
}

export function stepText(step: ReplayStep, dryRun: boolean): string {
  const verb = dryRun ? "would replay" : "replayed";
  const note = step.onlyGroup
    ? ""
    : " (the group reads no retry topic: every group of the topic receives them, and inboxes drop repeats)";
  return `${verb} ${step.letters.length} to ${step.target}${note}`;
}

export function lagTable(rows: readonly GroupLag[]): string {
  const cells = rows.map((row) => [
    row.topic,
    row.group,
    String(row.partition),
    String(row.end),
    row.committed === undefined ? "-" : String(row.committed),
    String(row.lag),
  ]);
  const sums = sumLags(rows).map(({ topic, group, lag }) => [topic, group, "all", "", "", String(lag)]);
  return table(["topic", "group", "partition", "end", "committed", "lag"], [...cells, ...sums]);
}

/** Replaces control characters, which must not reach the terminal from a message. */
function clean(text: string, most = 80): string {
  const plain = text.replaceAll(/\p{Cc}/gu, " ");
  return plain.length > most ? `${plain.slice(0, most - 1)}…` : plain;
}
