import type { Tracer } from "@plumbline/telemetry";

/** Sends one request. */
export type TracedFetch = (url: URL, init: RequestInit) => Promise<Response>;

/**
 * Returns a `fetch` that sends each request in a client span. The span ends with the response's
 * head. It is named by `route`, since paths have ids in them. The span's context is sent along only
 * if `sendContext` is true, since the server is another company's.
 */
export function tracedFetch(tracer: Tracer, route: string, sendContext: boolean): TracedFetch {
  return (url, init) => {
    const method = init.method ?? "GET";
    const attributes = {
      "http.request.method": method,
      "url.template": route,
      "url.full": url.href,
      "server.address": url.hostname,
      "server.port": Number(url.port) || (url.protocol === "https:" ? 443 : 80),
    };
    return tracer.span(`${method} ${route}`, { kind: "client", attributes }, async (span) => {
      const headers = new Headers(init.headers);
      const context = sendContext ? tracer.carrier() : {};
      for (const [name, value] of Object.entries(context)) headers.set(name, value);
      const response = await fetch(url, { ...init, headers });
      span.setAttribute("http.response.status_code", response.status);
      // By the conventions every 4xx and 5xx is an error for a client span.
      if (response.status >= 400) span.fail(new Error(`status ${response.status}`));
      return response;
    });
  };
}
