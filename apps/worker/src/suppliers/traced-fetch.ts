import type { Tracer } from "@plumbline/telemetry";

/**
 * `fetch` in a client span of its own, whose context goes out with the request. The span ends with the answer's head. Its
 * name and `url.template` are `route`, as the path has ids in it.
 */
export function tracedFetch(tracer: Tracer, route: string): (url: URL, init: RequestInit) => Promise<Response> {
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
      const context: Record<string, string> = {};
      tracer.inject(context);
      const headers = new Headers(init.headers);
      for (const [name, value] of Object.entries(context)) headers.set(name, value);
      const response = await fetch(url, { ...init, headers });
      span.setAttribute("http.response.status_code", response.status);
      // The conventions: to a client every 4xx and 5xx is an error; what it means is for the caller to judge.
      if (response.status >= 400) span.fail(new Error(`status ${response.status}`));
      return response;
    });
  };
}
