import { portsContract } from "./ports.ts";
import { openPostgresWorld } from "./postgres-world.ts";
import { scheduleProperty } from "./schedules.ts";
import { serviceSuite } from "./service.ts";

portsContract("postgres", openPostgresWorld);
scheduleProperty("postgres", openPostgresWorld, 50);
serviceSuite("postgres", openPostgresWorld);
