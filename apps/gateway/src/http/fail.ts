import { codeOf, isServiceError } from "@plumbline/errors";
import type { Logger } from "@plumbline/telemetry";
import type { ErrorRequestHandler, Response } from "express";
import { exchangeOf } from "./exchange.ts";
import { type Problem, problemOf, sendProblem } from "./problem.ts";

/**
 * Turns an error into a problem. Logs it if it is no ServiceError: that is a bug, which the caller
 * must not see.
 */
export function recordFailure(error: unknown, response: Response, logger: Logger): Problem {
  const exchange = exchangeOf(response);
  const match = safely(exchange.match);
  const problem = problemOf(error, exchange.requestId, match?.kind === "found" ? match.value.method.input : undefined);
  exchange.failure = error;
  exchange.code = problem.reason ?? problem.code;
  if (!isServiceError(error) && codeOf(error) === "internal")
    logger.error("request failed", error, { requestId: exchange.requestId });
  return problem;
}

/** Returns Express's error handler: every error becomes a problem document. */
export function failed(logger: Logger): ErrorRequestHandler {
  return (error: unknown, _request, response, _next) => {
    const problem = recordFailure(error, response, logger);
    // The head was sent already. Only a cut connection can tell the client.
    if (response.headersSent) response.destroy();
    else sendProblem(response, problem, error);
  };
}

function safely<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
