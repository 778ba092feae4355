import { serviceSuite } from "./service.ts";
import { memoryStore } from "./test-context.ts";

serviceSuite("memory", memoryStore);
