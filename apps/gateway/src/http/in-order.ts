import type { NextFunction, Request, RequestHandler, Response } from "express";

/**
 * Combines layers into one handler; each calls the next. All of them apply to every path, so
 * Express's router, which matches the path for each layer, would be wasted. Errors go to Express,
 * thrown or rejected.
 */
export function inOrder(...layers: readonly RequestHandler[]): RequestHandler {
  return (request, response, failed) => call(layers, 0, request, response, failed);
}

function call(
  layers: readonly RequestHandler[],
  at: number,
  request: Request,
  response: Response,
  after: NextFunction,
): void {
  const layer = layers[at];
  if (layer === undefined) return after();
  const next = (error?: unknown): void =>
    error === undefined ? call(layers, at + 1, request, response, after) : after(error);
  try {
    const result: unknown = layer(request, response, next);
    if (result instanceof Promise) result.catch(after);
  } catch (error) {
    after(error);
  }
}
