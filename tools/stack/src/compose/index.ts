/** The stack of docker-compose.yml as functions; COMPOSE_PROJECT_NAME and the variables of .env choose which one. */
export { builtImages, type Container, containers } from "./compose.ts";
export { docker } from "./docker.ts";
export { endReport } from "./end-report.ts";
export { sizes } from "./sizes.ts";
export { table } from "./table.ts";
