/** The stack of docker-compose.yml for tests that run it; COMPOSE_PROJECT_NAME and the variables of .env choose which. */
export { builtImages, containers } from "./compose.ts";
export { docker } from "./docker.ts";
export { endReport } from "./end-report.ts";
