import { answerHealth, type Health } from "@plumbline/lifecycle";
import type { RequestHandler, Response } from "express";
import { refusalOf } from "./strict.ts";

/**
 * Serves /healthz and /readyz on the public port, without rate limit, access log and metrics:
 * probes never stop.
 */
export function healthRoutes(health: Health): RequestHandler {
  return (request, response, next) => {
    const { path, method } = request;
    const isProbe = (path === "/healthz" || path === "/readyz") && (method === "GET" || method === "HEAD");
    return isProbe && refusalOf(request) === undefined ? answer(health, path, response) : next();
  };
}

async function answer(health: Health, path: "/healthz" | "/readyz", response: Response): Promise<void> {
  const { status, contentType, body } = await answerHealth(health, path);
  response.status(status).setHeader("Content-Type", contentType);
  response.end(body);
}
