import { sleep } from "@plumbline/concurrency";
import { fetchAs, hasCredentials } from "@plumbline/tools-stack";

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body of a JSON response; empty for any other. */
  readonly json: Record<string, unknown>;
}

/**
 * Makes one request with a deadline, and reads the whole body. To a gateway of a stack it is one of
 * the operator, unless it says who sends it.
 */
export async function call(url: string, init: RequestInit = {}): Promise<Answer> {
  const isOurs = hasCredentials(url) && !new Headers(init.headers).has("authorization");
  const response = await (isOurs ? fetchAs : fetch)(url, { ...init, signal: AbortSignal.timeout(15_000) });
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.includes("json") === true;
  return { status: response.status, headers: response.headers, text, json: isJson ? JSON.parse(text) : {} };
}

export function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  return call(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

/** Repeats a call until its result is the expected one. Fails after `ms` with the last result. */
export async function eventually<T>(ask: () => Promise<T>, done: (value: T) => boolean, ms = 20_000): Promise<T> {
  const until = performance.now() + ms;
  for (;;) {
    const value = await ask();
    if (done(value)) return value;
    if (performance.now() > until) throw new Error(`waited ${ms} ms; the last answer was ${JSON.stringify(value)}`);
    await sleep(50);
  }
}

/** Returns the JSON of each `data:` in a stream of Server-Sent Events, until the server ends it. */
export async function readEvents(
  url: string,
  headers: Record<string, string> = {},
): Promise<{ id: string; data: Record<string, unknown> }[]> {
  const { text } = await call(url, { headers: { accept: "text/event-stream", ...headers } });
  return text
    .split("\n\n")
    .filter((block) => /^data:/m.test(block) && !/^event: (?!message)/m.test(block))
    .map((block) => ({
      id: /^id: ?(.*)$/m.exec(block)?.[1] ?? "",
      data: JSON.parse(/^data: ?(.*)$/m.exec(block)?.[1] ?? "{}"),
    }));
}
