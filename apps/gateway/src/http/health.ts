import { answerHealth, type Health } from "@plumbline/lifecycle";
import { Router } from "express";

/** /healthz and /readyz on the public port: outside the rate limit, the access log and the counts, as probes never end. */
export function healthRoutes(health: Health): Router {
  const router = Router({ caseSensitive: true, strict: true });
  for (const path of ["/healthz", "/readyz"] as const) {
    router.get(path, async (_request, response) => {
      const { status, contentType, body } = await answerHealth(health, path);
      response.status(status).setHeader("Content-Type", contentType);
      response.end(body);
    });
  }
  return router;
}
