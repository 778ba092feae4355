export { generate, goBuild, goProblem, whyNoGo } from "./go.ts";
export { type InteropProgram, interopProgram, whyNoInteropProgram } from "./interop-program.ts";
