import type { Migration } from "@plumbline/postgres";
import { spareParts } from "./001-spare-parts.ts";

/** The schema, step by step, forward only. It is text in modules, so that a bundle is one file. */
export const migrations: readonly Migration[] = [{ id: 1, name: "spare_parts", sql: spareParts }];
