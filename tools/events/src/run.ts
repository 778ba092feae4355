import { type Abortable, deadline } from "@plumbline/concurrency";
import { codeOf, ServiceError } from "@plumbline/errors";
import { connectBroker } from "@plumbline/messaging";
import { findDeadLetters, groupLags, planReplay, replayDeadLetters, sumLags } from "@plumbline/messaging/dead-letters";
import { type Inspector, type InspectorOptions, openInspector } from "@plumbline/messaging/inspect";
import { noTelemetry } from "@plumbline/telemetry";
import type { Command } from "./options.ts";
import { lagTable, letterJson, letterTable, letterText, stepText } from "./print.ts";

/** The parts of its process that a run uses. */
export interface Surroundings extends Abortable {
  readonly print: (text: string) => void;
  readonly warn: (text: string) => void;
}

/** Runs a command and returns the exit code, which is 1 if it failed or found nothing. */
export async function run(command: Command, surroundings: Surroundings): Promise<number> {
  try {
    using limit = deadline(command.timeoutMs, surroundings);
    await using inspector = await openInspector(command.connection, noTelemetry);
    return await commands[command.name](command, inspector, { ...surroundings, signal: limit.signal });
  } catch (error) {
    surroundings.warn(advice(error));
    return 1;
  }
}

type Run = (command: Command, inspector: Inspector, surroundings: Surroundings) => Promise<number>;

const list: Run = async ({ filter, json }, inspector, { print, signal }) => {
  const { letters, matching } = await findDeadLetters(inspector, filter, { signal });
  if (json) {
    print(asJson({ matching, deadLetters: letters.map(letterJson) }));
    return 0;
  }
  if (letters.length > 0) print(letterTable(letters));
  print(count(letters.length, matching));
  return 0;
};

const show: Run = async ({ filter, json }, inspector, { print, warn, signal }) => {
  const { letters } = await findDeadLetters(inspector, { ...filter, replayed: true }, { signal });
  if (letters.length === 0) {
    warn(`no dead letter has the id ${filter.id}: dlq list --all shows what there is`);
    return 1;
  }
  print(json ? asJson(letters.map(letterJson)) : letters.map(letterText).join("\n\n"));
  return 0;
};

const replayAll: Run = async ({ filter, json, dryRun, connection }, inspector, { print, signal }) => {
  const { letters, matching } = await findDeadLetters(inspector, filter, { signal });
  const steps = await planReplay(inspector, letters, { signal });
  if (!dryRun && steps.length > 0) {
    await using broker = await connectBroker(brokerOptions(connection), noTelemetry);
    await replayDeadLetters(broker, inspector, steps, { signal });
  }
  if (json) {
    const planned = steps.map(({ target, letters: ofStep }) => ({
      target,
      ids: ofStep.map(({ message }) => message.id),
    }));
    print(asJson({ dryRun, matching, replayed: dryRun ? 0 : letters.length, steps: planned }));
    return 0;
  }
  if (dryRun && letters.length > 0) print(letterTable(letters));
  for (const step of steps) print(stepText(step, dryRun));
  print(
    letters.length === matching
      ? count(letters.length, matching)
      : `${count(letters.length, matching)}; run it again for the rest`,
  );
  return 0;
};

const lag: Run = async ({ filter, json }, inspector, { print, signal }) => {
  const rows = await groupLags(inspector, filter, { signal });
  if (json) print(asJson({ partitions: rows, sums: sumLags(rows) }));
  else print(rows.length === 0 ? "no group reads this" : lagTable(rows));
  return 0;
};

const commands: Readonly<Record<Command["name"], Run>> = {
  "dlq list": list,
  "dlq show": show,
  "dlq replay": replayAll,
  lag,
};

function brokerOptions(connection: InspectorOptions) {
  return connection.adapter === "postgres"
    ? { adapter: connection.adapter, postgres: { url: connection.url, applicationName: "events" } }
    : { adapter: connection.adapter, kafka: { ...connection, clientId: "events" } };
}

function count(shown: number, matching: number): string {
  if (matching === 0) return "no dead letters";
  const all = `${matching} dead letter${matching === 1 ? "" : "s"}`;
  return shown === matching ? all : `${shown} of ${all}, the oldest (--limit)`;
}

/** Returns JSON with bigint values, such as offsets, as exact text. */
function asJson(value: unknown): string {
  return JSON.stringify(value, (_, v: unknown) => (typeof v === "bigint" ? String(v) : v), 2);
}

/** Returns the error's text and what to do about it. */
function advice(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  if (error instanceof ServiceError && error.reason === "NOT_A_MESSAGING_DATABASE") {
    return `${text}: pass the services' database as --url, or start the services once`;
  }
  if (codeOf(error) === "unavailable") {
    return `${text}: start one with npm start, or choose another with --adapter, --url and --brokers`;
  }
  if (codeOf(error) === "not_found") return `${text}: lag without --topic shows all topics`;
  if (codeOf(error) === "deadline_exceeded")
    return "the time limit is over: allow more with --timeout SECONDS, or select less with --topic and --group";
  return text;
}
