export {
  type Evaluation,
  type FlagContext,
  type Flags,
  type FlagsStatus,
  type FollowedFlags,
  followFlags,
  type JsonValue,
  noFlags,
  type Reason,
} from "./flags.ts";
