import type { NextFunction, Request, RequestHandler, Response } from "express";

/**
 * Layers one inside the other as one, each calling the next. What they share is every path: Express's router would match,
 * trim and restore the path of each request for each of them. A failure goes to Express, whether thrown or of a promise.
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
