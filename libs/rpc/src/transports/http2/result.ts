import { type Code, ServiceError } from "@plumbline/errors";
import { ErrorCode, type HeaderField, type StreamError } from "@plumbline/http2";
import { fromBase64 } from "../../metadata.ts";
import { detailsName, errorOf } from "../../status.ts";
import { isGrpc } from "../content-type.ts";
import { percentDecode } from "./percent.ts";

/** Returns the error that the fields state, or undefined for success or valid headers. */
export function resultOf(fields: readonly HeaderField[], what: "headers" | "trailers"): ServiceError | undefined {
  let [httpStatus, type, status, message] = ["", "", "", ""];
  let details: Uint8Array | undefined;
  for (const { name, value } of fields) {
    switch (name) {
      case ":status":
        httpStatus = value;
        break;
      case "content-type":
        type = value;
        break;
      case "grpc-status":
        status = value;
        break;
      case "grpc-message":
        message = value;
        break;
      case detailsName:
        details = fromBase64(value);
        break;
      default:
    }
  }
  if (what === "trailers" && status !== "") {
    if (status === "0") return undefined;
    const code = /^\d+$/.test(status) ? Number(status) : -1;
    return errorOf({ code, message: percentDecode(message), details });
  }
  // The response is not from a gRPC server, or a proxy replaced it.
  if (httpStatus !== "" && httpStatus !== "200") {
    return new ServiceError(
      codeOfHttp.get(httpStatus) ?? "unknown",
      `the server answered with HTTP status ${httpStatus}`,
    );
  }
  if (httpStatus !== "" && !isGrpc(type)) {
    return new ServiceError("unknown", `the server does not speak gRPC: its content-type is ${JSON.stringify(type)}`);
  }
  if (what === "headers") return undefined;
  return new ServiceError("internal", "the server ended the call without a grpc-status");
}

/** Returns the encoding of a response's messages. */
export function encodingOf(fields: readonly HeaderField[]): string {
  for (const { name, value } of fields) if (name === "grpc-encoding") return value;
  return "identity";
}

/** grpc/doc/http-grpc-status-mapping.md, for responses without a grpc-status only. */
const codeOfHttp = new Map<string, Code>([
  ["400", "internal"],
  ["401", "unauthenticated"],
  ["403", "permission_denied"],
  ["404", "unimplemented"],
  ["429", "unavailable"],
  ["502", "unavailable"],
  ["503", "unavailable"],
  ["504", "unavailable"],
]);

/**
 * Returns the code of a reset (gRPC over HTTP2, "HTTP2 Transport Mapping, Errors"). A call lost
 * with its connection may or may not have been processed.
 */
export function codeOfReset({ code, origin, isUnprocessed }: StreamError): Code {
  if (origin === "connection" || isUnprocessed) return "unavailable";
  return codeOfError.get(code) ?? "internal";
}

const codeOfError = new Map<number, Code>([
  [ErrorCode.refusedStream, "unavailable"],
  [ErrorCode.cancel, "cancelled"],
  [ErrorCode.enhanceYourCalm, "resource_exhausted"],
  [ErrorCode.inadequateSecurity, "permission_denied"],
]);
