import assert from "node:assert/strict";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { swapFiles } from "./swap-files.ts";

function open(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), "plumbline-swap-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const at = (name: string) => join(folder, name);
  return {
    folder,
    at,
    read: (name: string) => readFileSync(at(name), "utf8"),
    names: () => readdirSync(folder).filter((name) => !name.startsWith("..")),
    folders: () => readdirSync(folder).filter((name) => name.startsWith("..") && name !== "..data"),
  };
}

const files = (all: Readonly<Record<string, string>>) =>
  new Map(Object.entries(all).map(([name, text]) => [name, Buffer.from(text)]));

void describe("files that are swapped together", { timeout: 60_000 }, () => {
  void test("are shown by links through one link, readable for the group alone", async (t) => {
    const { folder, at, read, names, folders } = open(t);
    assert.equal(await swapFiles(folder, files({ "tls.crt": "one", "tls.key": "two" })), true);
    assert.deepEqual(names(), ["tls.crt", "tls.key"]);
    assert.equal(read("tls.crt") + read("tls.key"), "onetwo");
    assert.equal(readlinkSync(at("tls.crt")), "..data/tls.crt");
    assert.equal(statSync(at("tls.key")).mode & 0o777, 0o440);
    assert.deepEqual(folders(), [readlinkSync(at("..data"))]);
  });

  void test("never show half of a change", async (t) => {
    const { folder, at, read } = open(t);
    await swapFiles(folder, files({ a: "0", b: "0" }));
    const done = new AbortController();
    let compared = 0;
    const reading = (async () => {
      while (!done.signal.aborted) {
        const before = readlinkSync(at("..data"));
        let pair: string | undefined;
        try {
          pair = `${read("a")} ${read("b")}`;
        } catch (error) {
          // The folder of a link that has moved on may be gone, and no other.
          assert.notEqual(readlinkSync(at("..data")), before, String(error));
        }
        if (pair !== undefined && readlinkSync(at("..data")) === before) {
          const [a, b] = pair.split(" ");
          assert.equal(a, b);
          compared += 1;
        }
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    for (let version = 1; version <= 100; version++) {
      await swapFiles(folder, files({ a: `${version}`, b: `${version}` }));
    }
    done.abort();
    await reading;
    assert.equal(read("a"), "100");
    assert.ok(compared > 10, `${compared} pairs were compared`);
  });

  void test("gain and lose names, and lose the folder of the last swap", async (t) => {
    const { folder, names, folders, read } = open(t);
    await swapFiles(folder, files({ a: "1", old: "1" }));
    await swapFiles(folder, files({ a: "2", new: "2" }));
    assert.deepEqual(names(), ["a", "new"]);
    assert.equal(read("new"), "2");
    assert.equal(folders().length, 1);
  });

  void test("stay where they are when nothing has changed", async (t) => {
    const { folder, at } = open(t);
    await swapFiles(folder, files({ a: "1" }));
    const target = readlinkSync(at("..data"));
    assert.equal(await swapFiles(folder, files({ a: "1" })), false);
    assert.equal(readlinkSync(at("..data")), target);
    assert.equal(await swapFiles(folder, files({ a: "1", b: "1" })), true);
    assert.equal(await swapFiles(folder, files({ a: "1" })), true);
  });

  void test("are put in order again after a swap that was cut off", async (t) => {
    const { folder, at, read, names, folders } = open(t);
    await swapFiles(folder, files({ a: "1" }));
    mkdirSync(at("..next-half"));
    symlinkSync("..next-half", at("..link-..data"));
    rmSync(at("a"));
    assert.equal(await swapFiles(folder, files({ a: "1" })), false);
    assert.equal(read("a"), "1");
    assert.deepEqual(names(), ["a"]);
    assert.deepEqual(folders(), [readlinkSync(at("..data"))]);
  });

  for (const name of ["..data", "..", ".", "", "a/b", "../a"]) {
    void test(`cannot have the name ${JSON.stringify(name)}`, async (t) => {
      const { folder } = open(t);
      await assert.rejects(swapFiles(folder, files({ [name]: "1" })), /cannot be the name of a file/);
      assert.deepEqual(readdirSync(folder), []);
    });
  }
});
