/**
 * Reads a broker without taking part: the messages of a topic and the positions of each group. For
 * operators' tools.
 */

export type { GroupLag, Inspector, LogEntry, TopicSummary } from "./inspect/inspector.ts";
export { type InspectorOptions, openInspector } from "./inspect/open-inspector.ts";
