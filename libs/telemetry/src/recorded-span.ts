import {
  type Exception,
  type Link,
  type Attributes as OtelAttributes,
  type Span,
  type SpanContext,
  type SpanKind,
  type SpanStatus,
  SpanStatusCode,
  type TimeInput,
} from "@opentelemetry/api";
import { hrTimeToMilliseconds, timeInputToHrTime } from "@opentelemetry/core";

/** The most attributes of a span or event, the most events, and the most links of a span. */
export const maxOfSpan = 128;

/** Names and values in turn, in the order in which they were set. */
export type FlatAttributes = readonly unknown[];

/** An event of a span. */
export interface SpanEvent {
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly attributes: FlatAttributes;
  readonly droppedAttributes: number;
}

/** A span that has ended. */
export interface EndedSpan {
  readonly name: string;
  readonly kind: SpanKind;
  readonly ids: SpanContext;
  readonly parent: SpanContext | undefined;
  /** Milliseconds since 1970, with a fraction. */
  readonly startedAt: number;
  readonly endedAt: number;
  readonly attributes: FlatAttributes;
  readonly droppedAttributes: number;
  readonly events: readonly SpanEvent[];
  readonly droppedEvents: number;
  readonly links: readonly Link[];
  readonly status: SpanStatus;
}

/** A receiver of spans that have ended. It reads a span at once and does not keep it. */
export interface SpanSink {
  add(span: EndedSpan): void;
}

const none: readonly never[] = [];
const unset: SpanStatus = { code: SpanStatusCode.UNSET };

/**
 * A recorded span of OpenTelemetry's API. It is small, and it is handed to its sink as it is when
 * it ends, since the SDK's span costs several times as much as the call that it describes. Limits
 * are the SDK's: 128 attributes, events and links. Changes after the end are ignored.
 */
export class RecordedSpan implements Span, EndedSpan {
  readonly ids: SpanContext;
  readonly parent: SpanContext | undefined;
  readonly kind: SpanKind;
  readonly startedAt = Date.now();
  name: string;
  endedAt = 0;
  attributes: unknown[] = [];
  droppedAttributes = 0;
  events: readonly SpanEvent[] = none;
  droppedEvents = 0;
  links: readonly Link[];
  status = unset;
  /** A time of the monotonic clock, which gives the duration. */
  readonly #began = performance.now();
  readonly #sink: SpanSink;

  constructor(
    sink: SpanSink,
    {
      name,
      kind,
      ids,
      parent,
      links = none,
    }: {
      readonly name: string;
      readonly kind: SpanKind;
      readonly ids: SpanContext;
      readonly parent: SpanContext | undefined;
      readonly links?: readonly Link[] | undefined;
    },
  ) {
    this.#sink = sink;
    this.name = name;
    this.kind = kind;
    this.ids = ids;
    this.parent = parent;
    this.links = links;
  }

  spanContext(): SpanContext {
    return this.ids;
  }

  isRecording(): boolean {
    return this.endedAt === 0;
  }

  setAttribute(key: string, value: unknown): this {
    if (this.isRecording() && !put(this.attributes, key, value)) this.droppedAttributes++;
    return this;
  }

  setAttributes(attributes: OtelAttributes): this {
    for (const key in attributes) this.setAttribute(key, attributes[key]);
    return this;
  }

  addEvent(name: string, attributesOrTime?: OtelAttributes | TimeInput, time?: TimeInput): this {
    if (!this.isRecording()) return this;
    const isTime = !isAttributes(attributesOrTime);
    const given = time ?? (isTime ? attributesOrTime : undefined);
    const attributes: unknown[] = [];
    let droppedAttributes = 0;
    for (const [key, value] of Object.entries(isTime ? {} : attributesOrTime)) {
      if (!put(attributes, key, value)) droppedAttributes++;
    }
    const at = given === undefined ? this.#now() : hrTimeToMilliseconds(timeInputToHrTime(given));
    const kept = this.events.length < maxOfSpan ? this.events : this.events.slice(1);
    if (kept !== this.events) this.droppedEvents++;
    this.events = [...kept, { name, at, attributes, droppedAttributes }];
    return this;
  }

  addLink(link: Link): this {
    if (this.isRecording() && this.links.length < maxOfSpan) this.links = [...this.links, link];
    return this;
  }

  addLinks(links: readonly Link[]): this {
    for (const link of links) this.addLink(link);
    return this;
  }

  setStatus(status: SpanStatus): this {
    const isFinal = !this.isRecording() || this.status.code === SpanStatusCode.OK;
    if (!isFinal && status.code !== SpanStatusCode.UNSET) this.status = status;
    return this;
  }

  updateName(name: string): this {
    if (this.isRecording()) this.name = name;
    return this;
  }

  recordException(exception: Exception, time?: TimeInput): void {
    const { name, message, stack } = typeof exception === "string" ? { message: exception } : exception;
    this.addEvent(
      "exception",
      { "exception.type": name, "exception.message": message, "exception.stacktrace": stack },
      time,
    );
  }

  end(time?: TimeInput): void {
    if (!this.isRecording()) return;
    const at = time === undefined ? this.#now() : hrTimeToMilliseconds(timeInputToHrTime(time));
    this.endedAt = Math.max(at, this.startedAt);
    this.#sink.add(this);
  }

  #now(): number {
    return this.startedAt + performance.now() - this.#began;
  }
}

function isAttributes(value: OtelAttributes | TimeInput | undefined): value is OtelAttributes {
  return typeof value === "object" && !(value instanceof Date) && !Array.isArray(value);
}

/** Sets an attribute, or returns false if there is no room for it. */
function put(attributes: unknown[], key: string, value: unknown): boolean {
  if (value === undefined) return true;
  for (let at = 0; at < attributes.length; at += 2) {
    if (attributes[at] !== key) continue;
    attributes[at + 1] = kept(value);
    return true;
  }
  if (attributes.length >= 2 * maxOfSpan || key === "") return false;
  attributes.push(key, kept(value));
  return true;
}

/** Returns a value that its creator cannot change later. */
function kept(value: unknown): unknown {
  return Array.isArray(value) ? [...value] : value;
}
