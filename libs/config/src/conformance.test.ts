import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { conformance, type Store } from "./conformance/index.ts";
import { file } from "./sources/file.ts";

/** Opens a store in a folder of its own, which `cut` moves away, as an unmounted volume. */
function storeIn(write: (folder: string, text: string | Uint8Array) => void, remove: (folder: string) => void): Store {
  const base = mkdtempSync(join(tmpdir(), "plumbline-store-"));
  const there = join(base, "mounted");
  const away = join(base, "away");
  mkdirSync(there);
  let folder = there;
  const path = join(there, "orders.yaml");
  return {
    origin: path,
    source: ({ optional } = {}) => file(path, { optional }),
    put: async (text) => write(folder, text),
    delete: async () => remove(folder),
    cut() {
      if (folder === there) renameSync(there, away);
      folder = away;
    },
    restore() {
      if (folder === away) renameSync(away, there);
      folder = there;
    },
    // A new folder, so that a watch on the old one gets no event.
    loseHistory() {
      if (folder !== there) return;
      renameSync(there, join(base, `old-${process.hrtime.bigint()}`));
      mkdirSync(there);
    },
    connections: () => 0,
    [Symbol.asyncDispose]: async () => rmSync(base, { recursive: true, force: true }),
  };
}

conformance({
  name: "a file",
  isRemote: false,
  open: async () =>
    storeIn(
      (folder, text) => {
        writeFileSync(join(folder, ".next"), text);
        renameSync(join(folder, ".next"), join(folder, "orders.yaml"));
      },
      (folder) => rmSync(join(folder, "orders.yaml"), { force: true }),
    ),
});

conformance({
  name: "a ConfigMap behind links",
  isRemote: false,
  async open() {
    let version = 0;
    return storeIn(
      (folder, text) => {
        const name = `..version_${++version}`;
        mkdirSync(join(folder, name));
        writeFileSync(join(folder, name, "orders.yaml"), text);
        symlinkSync(name, join(folder, "..data_tmp"));
        renameSync(join(folder, "..data_tmp"), join(folder, "..data"));
        rmSync(join(folder, `..version_${version - 1}`), { recursive: true, force: true });
        rmSync(join(folder, "orders.yaml"), { force: true });
        symlinkSync("..data/orders.yaml", join(folder, "orders.yaml"));
      },
      (folder) => rmSync(join(folder, "orders.yaml"), { force: true }),
    );
  },
});
