/** `npm run images`: signs images and verifies them, with cosign. */
import { runCommand } from "@plumbline/tools-stack/command";
import { options, readSign, readVerify } from "./commands.ts";
import { cosign, whyNoCosign } from "./cosign.ts";

/** Test runners know this code as "skipped": it must not pass for a success. */
const skipped = 77;

await runCommand(
  {
    name: "npm run images",
    about: "Signs images, and verifies who signed them and what they are made of.",
    options,
    words: {
      sign: "signs an image and attaches its bill of materials",
      verify: "fails unless signature, bill and provenance are those of the named signer",
    },
    take: "one",
    notes: [
      "verify takes --identity with --issuer, or --key: that somebody signed says nothing.",
      "Provenance is attached by GitHub's workflow alone, so --key does not ask for it.",
      `Exit codes: 0 done, 1 refused, 2 wrong command line, ${skipped} there is no cosign 3.`,
    ],
  },
  ({ words: [word], values }) => {
    const work = word === "sign" ? readSign(values) : readVerify(values);
    const why = whyNoCosign();
    if (why !== undefined) {
      console.error(`NOT ${word === "sign" ? "SIGNED" : "VERIFIED"}: ${why}`);
      return skipped;
    }
    for (const line of work(cosign)) console.log(line);
    return 0;
  },
);
