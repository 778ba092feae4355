export { generate, goBuild, goProblem, whyNoGo } from "./go.ts";
export { type InteropProgram, interopProgram, whyNoInteropPrograms } from "./interop-program.ts";
