import type { Span } from "@plumbline/telemetry";
import type { Binding, Match } from "@plumbline/transcoding";
import type { Response } from "express";

/** What the gateway knows of one request and its answer, from the first middleware to the access log. */
export interface Exchange {
  readonly requestId: string;
  /** The client's address, through the proxies that are trusted: read once, since Express works it out at each reading. */
  readonly client: string | undefined;
  /** Where it leads. Throws when the path cannot be decoded. */
  readonly match: () => Match<Binding>;
  /** The request's span, for what happens while it is answered. */
  span?: Pick<Span, "addEvent">;
  /** What went wrong, once something has. */
  failure?: unknown;
  /** The code of the failure, also of one inside a stream whose status was 200. */
  code?: string;
}

const key = Symbol("exchange");
type WithExchange = Response & { [key]: Exchange };

/** The exchange that the outermost middleware put beside a response. */
export function exchangeOf(response: Response): Exchange {
  return (response as WithExchange)[key];
}

/** Not in `response.locals`, which is a dictionary to the engine. */
export function setExchange(response: Response, exchange: Exchange): void {
  (response as WithExchange)[key] = exchange;
}
