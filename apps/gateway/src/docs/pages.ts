import type { OpenApi } from "@plumbline/transcoding";
import type { RequestHandler, Response } from "express";
import { css } from "./css.ts";
import { html } from "./html.ts";
import { script } from "./script.ts";

/** Everything from this origin, scripts from files only: what an answer holds cannot run, and nobody can frame the page. */
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** What the gateway serves without an RPC behind it: an index, the OpenAPI document, and a page to try it. */
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
    // One lookup, where a router would try each path on every request that is meant for an RPC.
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
