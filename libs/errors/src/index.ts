export { codeOf } from "./code-of.ts";
export { type Code, codeFromNumber, codes, codeToNumber } from "./codes.ts";
export {
  type ErrorDetail,
  type FieldViolation,
  isServiceError,
  ServiceError,
  type ServiceErrorOptions,
} from "./service-error.ts";
