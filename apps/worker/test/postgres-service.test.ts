import { postgresStore } from "./postgres-store.ts";
import { serviceSuite } from "./service.ts";

serviceSuite("postgres", postgresStore);
