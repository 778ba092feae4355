/**
 * Dead letters and lag, for operators' tools: finds the messages that a group failed to handle,
 * replays them, and shows how far each group is behind.
 */

export {
  type DeadLetter,
  type DeadLetterFilter,
  type FoundDeadLetters,
  findDeadLetters,
  maxDeadLetters,
} from "./dead-letters/find.ts";
export { groupLags, type LagFilter, type LagSum, sumLags } from "./dead-letters/lag.ts";
export { type EventToJson, readableData } from "./dead-letters/readable-data.ts";
export { planReplay, type ReplayStep, replayDeadLetters } from "./dead-letters/replay.ts";
