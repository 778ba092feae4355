import type { ApiKeys } from "@plumbline/auth";
import { ApiKeysFile } from "@plumbline/auth/settings";
import { file, followConfig } from "@plumbline/config";
import type { Logger } from "@plumbline/telemetry";

/**
 * Takes the keys of the file, and follows it until disposed. A change that is wrong is logged with
 * its field, and the last good keys stay. Rejects with a ConfigError if the file is wrong at first.
 */
export async function followApiKeys(path: string, keys: ApiKeys, logger: Logger): Promise<AsyncDisposable> {
  return await followConfig(ApiKeysFile, [file(path)], {
    onChange(content) {
      keys.replace(content.keys);
      logger.info("the API keys were read", { file: path, keys: content.keys.length });
    },
    onRefused({ problems }) {
      // One line: the source of a problem is the file with its line.
      const [first, ...others] = problems.map(
        ({ key, source, expected }) => `${key} (${source}): expected ${expected}`,
      );
      const more = others.length === 0 ? "" : `, and ${others.length} more`;
      logger.warn("the file of API keys is invalid; the last good keys stay", { problem: `${first}${more}` });
    },
    onFailure: (error) => logger.error("the file of API keys is no longer followed; restart to apply changes", error),
  });
}
