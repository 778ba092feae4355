export { goBuild, whyNoGo } from "./go.ts";
