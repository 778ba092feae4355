import type { Principal } from "@plumbline/auth";
import type { Span } from "@plumbline/telemetry";
import type { Binding, Match } from "@plumbline/transcoding";
import type { Response } from "express";

/** The state of one request and its response, from the first layer to the access log. */
export interface Exchange {
  readonly requestId: string;
  /** The client's address behind trusted proxies. */
  readonly client: string | undefined;
  /** The key under which the client's shares are counted. */
  readonly clientKey: string;
  /** Returns the route that matches. Throws if the path cannot be decoded. */
  readonly match: () => Match<Binding>;
  /** The caller, once its token says who it is. */
  principal?: Principal;
  /** The request's span, for events while it is answered. */
  span?: Pick<Span, "addEvent">;
  /** The error, if the request failed. */
  failure?: unknown;
  /** The code of the failure, also of one within a stream whose status was 200. */
  code?: string;
  /** Called once the response has left the process, or its connection is closed. */
  onClosed?: () => void;
  /** True from then on: a client may disconnect before its request takes a place. */
  isClosed?: boolean;
}

const key = Symbol("exchange");
type WithExchange = Response & { [key]: Exchange };

/** Returns the exchange that the outermost layer attached to a response. */
export function exchangeOf(response: Response): Exchange {
  return (response as WithExchange)[key];
}

/** Attaches an exchange. Not in `response.locals`, which the engine treats as a slow dictionary. */
export function setExchange(response: Response, exchange: Exchange): void {
  (response as WithExchange)[key] = exchange;
}
