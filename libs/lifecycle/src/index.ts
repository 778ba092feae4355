export type { Check } from "./dependency-check.ts";
export { Health, type HealthOptions, type Status } from "./health.ts";
export { answerHealth, type OpsAnswer } from "./ops-answer.ts";
export { type RunOptions, run } from "./run.ts";
export { type OpsOptions, serveOps } from "./serve-ops.ts";
