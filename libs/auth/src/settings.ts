import { z } from "zod";
import { isSubject } from "./claims.ts";

const time = () => z.iso.datetime({ error: "expected a time such as 2026-11-28T12:00:00Z" });

/** The entry of one key. It has no secret: the key itself is nowhere but with its owner. */
const entry = z
  .strictObject(
    {
      id: z.string().regex(/^[0-9A-Za-z]{11}$/, "expected the 11 letters and digits after plk_"),
      digest: z.string().regex(/^[0-9a-f]{64}$/, "expected the SHA-256 of the key in 64 hexadecimal digits"),
      subject: z.string().refine(isSubject, "expected 1 to 64 characters, none of them a control character"),
      scopes: z
        .array(z.string().regex(/^[!#-[\]-~]+$/, "expected a scope such as orders:read"))
        .min(1, "expected at least one scope")
        .max(100, "expected at most 100 scopes"),
      created: time(),
      until: time(),
      note: z
        .string()
        .regex(/^\P{Cc}{0,200}$/u, "expected a text without control characters, of 200 characters at most")
        .optional(),
    },
    {
      error: (issue) =>
        issue.code === "unrecognized_keys"
          ? `expected known fields only, not ${issue.keys[0]?.slice(0, 40)}`
          : undefined,
    },
  )
  .refine(({ created, until }) => !(Date.parse(created) >= Date.parse(until)), {
    path: ["until"],
    message: "expected a time after created",
  });

/** The file of API keys, which `npm run keys` writes and the gateway follows. */
export const ApiKeysFile = z.object({
  keys: z
    .array(entry)
    .max(1_000)
    .refine((keys) => new Set(keys.map(({ id }) => id)).size === keys.length, "expected each id once")
    .describe("the keys that are taken"),
});
