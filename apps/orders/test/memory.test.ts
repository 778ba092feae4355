import { openMemoryContext } from "./memory-context.ts";
import { ownersSuite } from "./owners.ts";
import { portsContract } from "./ports.ts";
import { scheduleProperty } from "./schedules.ts";
import { pendingSuite, serviceSuite } from "./service.ts";

portsContract("memory", openMemoryContext);
scheduleProperty("memory", openMemoryContext, 200);
serviceSuite("memory", openMemoryContext);
pendingSuite("memory", openMemoryContext);
ownersSuite("memory", openMemoryContext);
