import { ServiceError } from "@plumbline/errors";
import type { Request } from "express";
import type { StreamFormat } from "./format.ts";
import { ndjson } from "./ndjson.ts";
import { sse } from "./sse.ts";

/** Events unless `Accept` prefers lines. Throws ServiceError (NOT_ACCEPTABLE) when it takes neither. */
export function chooseFormat(request: Request): StreamFormat {
  const type = request.accepts([sse.contentType, ndjson.contentType]);
  if (type === ndjson.contentType) return ndjson;
  if (type === sse.contentType) return sse;
  throw new ServiceError(
    "invalid_argument",
    `This is a stream: it comes as ${sse.contentType} or ${ndjson.contentType}.`,
    {
      reason: "NOT_ACCEPTABLE",
    },
  );
}
