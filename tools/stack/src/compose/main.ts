/** `npm run containers -- sizes | up | stop`: the stack of docker-compose.yml, measured against its targets. */
import { sizes } from "./sizes.ts";
import { stop } from "./stop.ts";
import { up } from "./up.ts";

const usage = `npm run containers -- COMMAND

  sizes           compressed size of each image, the shared base counted once
  up [OPTION…]    builds and starts the stack, then prints seconds to healthy and memory against the budget;
                  options go to docker compose up (--scale gateway=2)
  stop            stops the stack, then prints how each container ended

Each ends with 1 when a target is missed. COMPOSE_PROJECT_NAME and the variables of .env choose the stack.`;

const [command, ...rest] = process.argv.slice(2);
try {
  if (command === "sizes" && rest.length === 0) process.exitCode = await sizes(console.log);
  else if (command === "up") process.exitCode = await up(rest, console.log);
  else if (command === "stop" && rest.length === 0) process.exitCode = await stop(console.log);
  else {
    console.error(usage);
    process.exitCode = 1;
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
