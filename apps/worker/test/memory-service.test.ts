import { serviceSuite } from "./service.ts";
import { memoryStore } from "./world.ts";

serviceSuite("memory", memoryStore);
