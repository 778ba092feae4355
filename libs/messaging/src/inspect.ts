/** Looking at a broker without taking part: what lies in a topic and how far each group came. For operators' tools. */

export type { GroupLag, Inspector, LogEntry, TopicSummary } from "./inspect/inspector.ts";
export { type InspectorOptions, openInspector } from "./inspect/open-inspector.ts";
