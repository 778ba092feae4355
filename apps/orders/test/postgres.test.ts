import { ownersSuite } from "./owners.ts";
import { portsContract } from "./ports.ts";
import { openPostgresContext } from "./postgres-context.ts";
import { scheduleProperty } from "./schedules.ts";
import { pendingSuite, serviceSuite } from "./service.ts";

portsContract("postgres", openPostgresContext);
scheduleProperty("postgres", openPostgresContext, 50);
serviceSuite("postgres", openPostgresContext);
pendingSuite("postgres", openPostgresContext);
ownersSuite("postgres", openPostgresContext);
