export { type Applied, applyLive } from "./apply-live.ts";
export { ConfigError, type Problem } from "./config-error.ts";
export { environmentName, settingsPrefix } from "./environment-name.ts";
export { type FollowOptions, followConfig } from "./follow-config.ts";
export type { Frozen } from "./frozen.ts";
export { listSettings, type SettingRow } from "./list-settings.ts";
export { type Config, loadConfig } from "./load-config.ts";
export { Secret } from "./secret.ts";
export type { Schema, Setting } from "./settings.ts";
export type { Entry, Reading, Source } from "./source.ts";
export { contents } from "./sources/contents.ts";
export {
  type DocumentOptions,
  documentSource,
  maxDocumentBytes,
  type Refusal,
  type StaleDocument,
} from "./sources/document.ts";
export { type Environment, env } from "./sources/env.ts";
export { type FileOptions, file } from "./sources/file.ts";
export { readTree, type TreeNode, type TreePart } from "./sources/read-tree.ts";
export { count, durationMs, live, port, secret } from "./types.ts";
export { urlWithPassword } from "./url-with-password.ts";
export { type Update, watchConfig } from "./watch-config.ts";
