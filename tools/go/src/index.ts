export { generate, goBuild, whyNoGo } from "./go.ts";
