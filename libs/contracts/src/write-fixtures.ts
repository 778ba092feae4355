/** `npm run fixtures`: records each event whose newest recording lacks a field. */
import { record, typesToRecord } from "./fixtures.ts";

const types = typesToRecord();
for (const type of types) console.log(`written: libs/contracts/fixtures/${record(type, new Date())}`);
if (types.length === 0) console.log("every event has a recording that shows all its fields");
