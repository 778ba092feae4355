import { type Response, Router } from "express";
import type { OpenApi } from "../openapi/types.ts";
import { css } from "./css.ts";
import { html } from "./html.ts";
import { script } from "./script.ts";

/** Everything from this origin, scripts from files only: what an answer holds cannot run, and nobody can frame the page. */
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** What the gateway serves without an RPC behind it: an index, the OpenAPI document, and a page to try it. */
export function pages(document: OpenApi): Router {
  const index = JSON.stringify({ docs: "/docs", openapi: "/openapi.json", health: "/healthz", ready: "/readyz" });
  const json = JSON.stringify(document);
  const router = Router({ caseSensitive: true, strict: true });
  router.get("/", (_request, response) => send(response, "application/json", index));
  router.get("/openapi.json", (_request, response) => send(response, "application/json", json));
  router.get("/docs", (_request, response) => send(response, "text/html; charset=utf-8", html));
  router.get("/docs/docs.js", (_request, response) => send(response, "text/javascript; charset=utf-8", script));
  router.get("/docs/docs.css", (_request, response) => send(response, "text/css; charset=utf-8", css));
  return router;
}

function send(response: Response, type: string, body: string): void {
  response.setHeader("Content-Type", type);
  response.setHeader("Content-Security-Policy", policy);
  response.setHeader("Cache-Control", "no-cache");
  response.end(body);
}
