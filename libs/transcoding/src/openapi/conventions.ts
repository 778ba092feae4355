import type { Binding } from "../bindings/binding.ts";
import type { ApiResponse, MediaType, OpenApi, Parameter, Reference, Schema, SecurityRequirement } from "./types.ts";

/** The parts of a document that do not follow from the descriptors: each gateway has its own. */
export interface Conventions {
  readonly info: OpenApi["info"];
  /** Shared definitions that `parameters`, `responses` and `streamContent` refer to. */
  readonly components?: Partial<OpenApi["components"]>;
  /** Returns the headers that an operation takes. */
  readonly parameters?: (binding: Binding) => readonly (Parameter | Reference)[];
  /** Returns the responses of an operation besides 200, by status: its failures, for example. */
  readonly responses?: (binding: Binding) => Readonly<Record<string, ApiResponse | Reference>>;
  /** Returns what a request must prove, by the schemes of `components`; nothing if absent. */
  readonly security?: ((binding: Binding) => readonly SecurityRequirement[]) | undefined;
  /** The headers of each successful response. */
  readonly responseHeaders?: ApiResponse["headers"];
  /**
   * Returns the media types of a stream; `message` is the schema of one message. One JSON object
   * per message if absent.
   */
  readonly streamContent?: (binding: Binding, message: Schema) => Readonly<Record<string, MediaType>>;
}
