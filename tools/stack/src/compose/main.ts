/** `npm run containers`: the stack of docker-compose.yml, measured against its targets. */
import { runCommand, texts, UsageError } from "../command/index.ts";
import { sizes } from "./sizes.ts";
import { stop } from "./stop.ts";
import { up } from "./up.ts";

await runCommand(
  {
    name: "npm run containers",
    about: "Runs the stack of docker-compose.yml and measures it against its targets. Needs Docker.",
    words: {
      sizes: "prints the compressed size of each image, the shared base counted once",
      up: "builds and starts the stack, then prints seconds to healthy and memory against the budget",
      stop: "stops the stack, then prints how each container ended",
    },
    take: "one",
    options: { scale: texts("up: number of replicas", "SERVICE=N") },
    passes: "OPTIONS OF DOCKER COMPOSE UP",
    notes: [
      "COMPOSE_PROJECT_NAME and the variables of .env choose the stack.",
      "Exit codes: 0 all targets are met, 1 one is missed, 2 wrong command line.",
    ],
  },
  async ({ words: [command], values: { scale }, passed }) => {
    if (command !== "up" && scale.length + passed.length > 0) throw new UsageError(`${command} takes no options`);
    const wrong = scale.find((one) => !/^[\w-]+=\d+$/.test(one));
    if (wrong !== undefined) throw new UsageError(`--scale takes SERVICE=N, such as gateway=2, not "${wrong}"`);
    if (command === "sizes") return await sizes(console.log);
    if (command === "stop") return await stop(console.log);
    return await up([...scale.flatMap((one) => ["--scale", one]), ...passed], console.log);
  },
);
