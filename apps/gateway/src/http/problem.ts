import type { DescMessage } from "@bufbuild/protobuf";
import { type Code, codeOf, type FieldViolation, isServiceError } from "@plumbline/errors";
import { jsonFieldPath } from "@plumbline/transcoding";
import type { Response } from "express";
import { statusOf, titleOf } from "./status.ts";

/**
 * A failure as the caller sees it: problem details (RFC 9457) with the gRPC code, without cause and
 * stack.
 */
export interface Problem {
  readonly type: "about:blank";
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: Code;
  readonly reason?: string;
  readonly requestId: string;
  readonly violations?: readonly FieldViolation[];
}

export const problemContentType = "application/problem+json";

/** The detail in place of a message that was not written for callers. */
const hidden = "The service failed. Its logs have the cause under this requestId.";

/**
 * Describes an error for the caller. `input` is the type of the request: services name fields as
 * the proto does, and the caller knows them by their JSON names.
 */
export function problemOf(error: unknown, requestId: string, input?: DescMessage): Problem {
  const code = codeOf(error);
  const known = isServiceError(error) ? error : undefined;
  const status = statusOf(code, known?.reason);
  return {
    type: "about:blank",
    title: titleOf(status),
    status,
    detail: detailOf(code, known?.reason, known?.message),
    code,
    ...(known?.reason !== undefined && { reason: known.reason }),
    requestId,
    ...(known !== undefined &&
      known.violations.length > 0 && { violations: known.violations.map((one) => inJson(one, input)) }),
  };
}

function detailOf(code: Code, reason: string | undefined, message: string | undefined): string {
  if (code === "deadline_exceeded" && message === undefined) return "The service did not answer in time.";
  // Services give a reason on purpose. Without one the message may come from the transport and
  // contain addresses.
  if (code === "unavailable" && reason === undefined)
    return "The service cannot be reached or is not ready. Try again later.";
  if (message === undefined || code === "internal" || code === "unknown" || code === "data_loss") return hidden;
  return message;
}

function inJson({ field, description }: FieldViolation, input: DescMessage | undefined): FieldViolation {
  return { field: input === undefined ? field : jsonFieldPath(input, field), description };
}

/** Sends a problem, with Retry-After in whole seconds if the error has a time to retry. */
export function sendProblem(response: Response, problem: Problem, error?: unknown): void {
  const body = Buffer.from(JSON.stringify(problem));
  if (isServiceError(error) && error.retryAfterMs !== undefined) {
    response.setHeader("Retry-After", String(Math.max(1, Math.ceil(error.retryAfterMs / 1000))));
  }
  response.statusCode = problem.status;
  response.setHeader("Content-Type", problemContentType);
  response.setHeader("Content-Length", body.length);
  response.end(body);
}
