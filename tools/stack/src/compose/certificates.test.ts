import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { newAuthority } from "@plumbline/tools-engines";
import { identityOf } from "../processes/certificates.ts";
import { root } from "./docker.ts";

const script = readFileSync(join(root, "deploy/compose/certificates.sh"), "utf8");
const services = ["services/gateway", "services/greeter", "services/orders"];
const all = ["issuer", ...services];
const skip = spawnSync("openssl", ["version"]).status !== 0 && "openssl is not installed";

/** Makes folders in the places of the container's, on which `run` runs the script. */
function open(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), "plumbline-certificates-"));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const name of ["tmp", "authority", "export", ...all]) mkdirSync(join(folder, name), { recursive: true });
  const text = script.replaceAll(/(?<![\w$])\/(issuer|services|authority|export)\b/g, join(folder, "$1"));
  /** Runs it. `chowns` are those that succeed. */
  const run = (calls = "on", chowns = all.length) => {
    const chown = `n=0; chown() { echo "$@" >>${folder}/owners; n=$((n + 1)); [ $n -le ${chowns} ]; }`;
    return spawnSync("sh", ["-c", `${chown}\n${text}`], {
      encoding: "utf8",
      env: { ...process.env, CALLS: calls, TMPDIR: join(folder, "tmp") },
    });
  };
  const read = (...path: readonly string[]) => readFileSync(join(folder, ...path), "utf8");
  const certificateOf = (at: string) => new X509Certificate(read(at, "tls.crt"));
  const fingerprints = (paths: readonly string[]) => paths.map((one) => certificateOf(one).fingerprint256);
  /** Fails unless these certificates are of one authority, and have the keys beside them. */
  const hold = (paths: readonly string[]) => {
    const authority = new X509Certificate(read(paths[0] ?? "", "ca.crt"));
    for (const one of paths) {
      const certificate = certificateOf(one);
      assert.equal(read(one, "ca.crt"), authority.toString());
      assert.ok(certificate.verify(authority.publicKey) && certificate.checkIssued(authority), one);
      assert.ok(certificate.checkPrivateKey(createPrivateKey(read(one, "tls.key"))), one);
    }
  };
  return { folder, run, read, certificateOf, fingerprints, hold };
}

describe("certificates.sh", { skip }, () => {
  test("gives each container a certificate with its own identity and name, and a key that its user alone reads", (t) => {
    const { folder, run, read, certificateOf, hold } = open(t);
    const { status, stderr } = run();
    assert.equal(status, 0, stderr);
    hold(services);
    hold(["issuer"]);
    for (const at of all) {
      assert.equal(certificateOf(at).ca, false);
      const key = join(folder, at, "tls.key");
      assert.equal(statSync(key).mode & 0o777, 0o400);
      assert.ok(read("owners").includes(`65532 ${key}.new\n`));
      assert.deepEqual(readdirSync(join(folder, at)).toSorted(), ["ca.crt", "tls.crt", "tls.key"]);
    }
    for (const at of services) {
      const name = basename(at);
      assert.equal(certificateOf(at).subjectAltName, `URI:${identityOf(name)}, DNS:${name}`);
    }
    assert.equal(certificateOf("issuer").subjectAltName, "DNS:issuer, DNS:localhost, IP Address:127.0.0.1");
    assert.deepEqual(certificateOf("issuer").keyUsage, ["1.3.6.1.5.5.7.3.1"], "the issuer is no client");
    for (const at of ["authority", "export"]) assert.equal(read(at, "ca.pem"), read("issuer", "ca.crt"));
    assert.notEqual(
      read("issuer", "ca.crt"),
      read("services/orders", "ca.crt"),
      "a client of services trusts the issuer",
    );
    assert.deepEqual(readdirSync(join(folder, "tmp")), [], "an authority's key is left");
    for (const at of all) {
      const [ca, certificate] = ["ca.crt", "tls.crt"].map((name) => join(folder, at, name)) as [string, string];
      const verified = spawnSync("openssl", ["verify", "-x509_strict", "-CAfile", ca, certificate]);
      assert.equal(verified.status, 0, String(verified.stderr));
    }
  });

  test("keeps what is good, and makes all of one authority again if one is missing", (t) => {
    const { folder, run, read, fingerprints, hold } = open(t);
    run();
    const first = fingerprints(all);
    const authority = read("export/ca.pem");
    rmSync(join(folder, "export/ca.pem"));
    assert.equal(run().status, 0);
    assert.deepEqual(fingerprints(all), first);
    assert.equal(read("export/ca.pem"), authority);

    const [issuer, ...before] = first;
    mkdirSync(join(folder, "services/parcel")); // A new service, while the issuer runs.
    assert.equal(run("on", all.length + 1).status, 0);
    for (const [index, fingerprint] of fingerprints(services).entries()) assert.notEqual(fingerprint, before[index]);
    hold([...services, "services/parcel"]);
    assert.deepEqual(fingerprints(["issuer"]), [issuer]);
  });

  for (const chowns of services.keys()) {
    test(`makes all of them again after it stopped with ${chowns} of ${services.length} made`, (t) => {
      const { folder, run, hold } = open(t);
      run();
      rmSync(join(folder, "services/gateway/tls.crt"));
      assert.notEqual(run("on", chowns).status, 0);
      assert.equal(run().status, 0);
      hold(services);
    });
  }

  for (const { name, days, kept } of [
    { name: "that ends within a month is made again", days: 29, kept: false },
    { name: "that does not is kept", days: 31, kept: true },
  ]) {
    test(`a certificate ${name}`, (t) => {
      const { folder, run, fingerprints } = open(t);
      const authority = newAuthority("tests");
      const to = new Date(Date.now() + days * 86_400_000);
      for (const at of all) {
        const { certificate } = authority.issue({ name: at, to });
        writeFileSync(join(folder, at, "tls.crt"), certificate);
        writeFileSync(join(folder, at, "ca.crt"), authority.certificate);
      }
      const before = fingerprints(all);
      // Envoy sees files that are moved into place, and none that is written over.
      const inodes = () => all.map((at) => statSync(join(folder, at, "tls.crt")).ino);
      const written = inodes();
      assert.equal(run().status, 0);
      for (const [index, fingerprint] of fingerprints(all).entries()) {
        assert.equal(fingerprint === before[index], kept, `${all[index]}`);
        assert.equal(inodes()[index] === written[index], kept, `${all[index]}`);
      }
    });
  }

  for (const { name, calls } of [
    { name: "neither certificates nor addresses", calls: "" },
    { name: "both", calls: "onon" },
  ]) {
    test(`stops the start of a stack whose services know their callers by ${name}`, (t) => {
      const { folder, run } = open(t);
      const { status, stderr } = run(calls);
      assert.equal(status, 1);
      assert.match(stderr, /^PLUMBLINE_MTLS, PLUMBLINE_PLAIN_CALLS: expected one of them to be on/);
      assert.deepEqual(readdirSync(join(folder, "export")), []);
    });
  }
});
