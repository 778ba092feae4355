/** `npm run signing`: signs images and verifies them, with cosign. */
import { runCommand } from "@plumbline/tools-stack/command";
import { options, readSign, readVerify } from "./commands.ts";
import { cosign, whyNoCosign } from "./cosign.ts";
import { prove } from "./prove.ts";

/** Test runners know this code as "skipped": it must not pass for a success. */
const skipped = 77;

await runCommand(
  {
    name: "npm run signing",
    about: "Signs images, and verifies who signed them and what they are made of.",
    options,
    words: {
      sign: "signs an image and attaches its bill of materials",
      verify: "fails unless signature, bill and provenance are those of the named signer",
      prove: "shows with images of its own that what must be refused is refused; needs no network",
    },
    take: "one",
    notes: [
      "verify takes --identity with --issuer, or --key: that somebody signed says nothing.",
      "Provenance is attached by GitHub's workflow alone, so --key does not ask for it.",
      `Exit codes: 0 done, 1 refused, 2 wrong command line, ${skipped} there is no cosign 3.`,
    ],
  },
  async ({ words: [word], values }) => {
    const work = { sign: readSign, verify: readVerify, prove: () => undefined }[word as "sign" | "verify" | "prove"](
      values,
    );
    const why = whyNoCosign();
    if (why !== undefined) {
      console.error(`NOT ${word === "sign" ? "SIGNED" : "VERIFIED"}: ${why}`);
      return skipped;
    }
    if (work === undefined) return await prove(console.log);
    for (const line of work(cosign)) console.log(line);
    return 0;
  },
);
