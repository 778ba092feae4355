import type { OpenApi } from "@plumbline/transcoding";
import type { RequestHandler, Response } from "express";
import { css } from "./css.ts";
import { html } from "./html.ts";
import { script } from "./script.ts";

/**
 * Allows this origin only, and scripts from files only: content of responses cannot run. Forbids
 * framing.
 */
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** Serves the pages without an RPC: an index, the OpenAPI document, and a page to try it. */
export function pages(document: OpenApi): RequestHandler {
  const index = JSON.stringify({ docs: "/docs", openapi: "/openapi.json", health: "/healthz", ready: "/readyz" });
  const known = new Map([
    ["/", { type: "application/json", body: index }],
    ["/openapi.json", { type: "application/json", body: JSON.stringify(document) }],
    ["/docs", { type: "text/html; charset=utf-8", body: html }],
    ["/docs/docs.js", { type: "text/javascript; charset=utf-8", body: script }],
    ["/docs/docs.css", { type: "text/css; charset=utf-8", body: css }],
  ]);
  return (request, response, next) => {
    // One lookup: a router would try each page with every request for an RPC.
    const page = known.get(request.path);
    if (page === undefined || (request.method !== "GET" && request.method !== "HEAD")) next();
    else send(response, page.type, page.body);
  };
}

function send(response: Response, type: string, body: string): void {
  response.setHeader("Content-Type", type);
  response.setHeader("Content-Security-Policy", policy);
  response.setHeader("Cache-Control", "no-cache");
  response.end(body);
}
