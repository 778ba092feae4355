export { type Answer, answerOf, eventOf } from "./bindings/answer.ts";
export { type Binding, bindingsOf } from "./bindings/binding.ts";
export { annotatedPackages } from "./bindings/packages.ts";
export { bindRequest, type RequestParts } from "./bindings/request.ts";
export { routerOf } from "./bindings/router.ts";
export { jsonFieldPath } from "./descriptors/json-field-path.ts";
export { readDescriptors } from "./descriptors/read-descriptors.ts";
export { type Transcoder, Transcoders } from "./json/compiled/transcoder.ts";
export { maxJsonBytes } from "./json/max-size.ts";
export { parseJson } from "./json/parse.ts";
export type { Conventions } from "./openapi/conventions.ts";
export { openApi } from "./openapi/document.ts";
export type {
  ApiResponse,
  MediaType,
  OpenApi,
  Operation,
  Parameter,
  Reference,
  Schema,
  SecurityRequirement,
  SecurityScheme,
} from "./openapi/types.ts";
export { parseTemplate, type Segment, type Template, TemplateError, type Variable } from "./template/parse.ts";
export { type Match, Router } from "./template/router.ts";
