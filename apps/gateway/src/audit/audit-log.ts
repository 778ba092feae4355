import { repeat } from "@plumbline/concurrency";
import type { Telemetry } from "@plumbline/telemetry";

/** A decision about a caller: who, what, and what became of it. */
export interface Decision {
  readonly outcome: "refused" | "operated";
  /** The reason of a refusal. */
  readonly reason: string;
  readonly subject: string | undefined;
  /** The client that the token was issued to. */
  readonly client: string | undefined;
  readonly address: string | undefined;
  /** The address as it counts: an IPv6 client has many. */
  readonly addressKey: string;
  readonly method: string;
  readonly route: string;
  readonly object: string;
  readonly requestId: string;
}

/** A decision, with the number of those like it that no line has yet. */
interface Counted {
  readonly decision: Partial<Decision>;
  count: number;
}

/** The decisions of a window that have lines of their own. */
const maxKeys = 1_000;
const windowMs = 60_000;

/**
 * The audit log. A decision is a line at once, with the ids of its trace. Those like it that follow
 * within a window are one line at its end, with their count: same outcome, reason, caller, address
 * and route, and for an operator the same object. Beyond 1,000 different ones those that are new
 * share a line for each outcome, reason and route, without caller, address and object.
 *
 * A flood therefore writes at most 2,000 lines in a window, and a few more, and loses no count. A
 * line that its reader has no room for waits here.
 */
export class AuditLog {
  readonly #windows = new Map<string, Counted>();
  readonly #write: Telemetry["audit"];
  readonly #count: (outcome: Decision["outcome"]) => void;
  readonly #drop: () => void;

  constructor({ audit, metrics }: Pick<Telemetry, "audit" | "metrics">) {
    this.#write = audit;
    const events = metrics.counter("audit_events_total", "Decisions for the audit log.", ["outcome"]);
    const dropped = metrics.counter("audit_dropped_total", "Decisions that the audit log has lost.", []);
    this.#count = (outcome) => events.inc({ outcome });
    this.#drop = () => dropped.inc({});
  }

  record(decision: Decision): void {
    const { outcome, reason, subject, client, addressKey, method, route, object } = decision;
    this.#count(outcome);
    const operated = outcome === "operated" ? object : "";
    const own = JSON.stringify([outcome, reason, subject, client, addressKey, method, route, operated]);
    const seen = this.#windows.get(own);
    if (seen !== undefined) return void (seen.count += 1);
    if (this.#windows.size < maxKeys) return this.#open(own, decision);
    const shared = JSON.stringify([outcome, reason, method, route]);
    const others = this.#windows.get(shared);
    if (others !== undefined) return void (others.count += 1);
    // The reasons and the routes are closed sets, so this bound is never reached.
    if (this.#windows.size < 2 * maxKeys) return this.#open(shared, { outcome, reason, method, route });
    this.#drop();
  }

  /** Ends the window: writes the counts. Those that find no room stay. */
  endWindow(): void {
    for (const [key, { decision, count }] of this.#windows) {
      if (count === 0 || this.#line(decision, count)) this.#windows.delete(key);
    }
  }

  #open(key: string, decision: Partial<Decision>): void {
    this.#windows.set(key, { decision, count: this.#line(decision, 1) ? 0 : 1 });
  }

  #line(decision: Partial<Decision>, count: number): boolean {
    const { addressKey: _, ...fields } = decision;
    return this.#write({ ...fields, count });
  }
}

/** Opens an audit log whose windows end by themselves. Disposing writes the counts. */
export function openAuditLog(telemetry: Pick<Telemetry, "audit" | "metrics">): AuditLog & AsyncDisposable {
  const log = new AuditLog(telemetry);
  const windows = repeat(async () => log.endWindow(), { everyMs: windowMs, onFailure: () => {} });
  return Object.assign(log, {
    async [Symbol.asyncDispose]() {
      await windows[Symbol.asyncDispose]();
      log.endWindow();
    },
  });
}
