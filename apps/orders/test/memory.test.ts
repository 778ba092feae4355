import { openMemoryWorld } from "./memory-world.ts";
import { portsContract } from "./ports.ts";
import { scheduleProperty } from "./schedules.ts";
import { serviceSuite } from "./service.ts";

portsContract("memory", openMemoryWorld);
scheduleProperty("memory", openMemoryWorld, 200);
serviceSuite("memory", openMemoryWorld);
