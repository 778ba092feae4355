/** An authority for `npm run signing -- prove`, with names of workflows as Fulcio gives them. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

export class Authority {
  /** Its certificate, a file. */
  readonly certificate: string;
  readonly #folder: string;

  /** Makes the files of an authority in a folder, with OpenSSL 3. */
  constructor(folder: string) {
    this.#folder = folder;
    this.certificate = join(folder, "authority.pem");
    const settings = ["database=index.txt", "rand_serial=yes", "new_certs_dir=.", "default_md=sha256", "policy=p"];
    const sections = ["[ca]", "default_ca=c", "[c]", ...settings, "[p]", "commonName=optional"];
    writeFileSync(join(folder, "ca.cnf"), `${[...sections, "[req]", "distinguished_name=d", "[d]"].join("\n")}\n`);
    writeFileSync(join(folder, "index.txt"), "");
    this.#newKey("authority");
    const rights = "-addext basicConstraints=critical,CA:true -addext keyUsage=critical,keyCertSign,cRLSign";
    const request = "req -x509 -new -config ca.cnf -key authority.pk8 -subj /CN=authority -days 1";
    this.#openssl(`${request} ${rights} -out authority.pem`);
  }

  /** Returns the files of a new key, and its certificate for an identity until a date. */
  certify(name: string, { identity, issuer }: { identity: string; issuer: string }, until: Date) {
    this.#newKey(name);
    const leaf = [
      "[leaf]",
      "keyUsage=critical,digitalSignature",
      "extendedKeyUsage=codeSigning",
      `subjectAltName=critical,URI:${identity}`,
      `1.3.6.1.4.1.57264.1.8=ASN1:UTF8String:${issuer}`,
    ];
    writeFileSync(join(this.#folder, `${name}.cnf`), `${leaf.join("\n")}\n`);
    this.#openssl(`req -new -config ca.cnf -key ${name}.pk8 -subj /CN=${name} -out ${name}.csr`);
    const end = until.toISOString().replaceAll(/[-:T]|\.\d+/g, "");
    const signing = "ca -batch -notext -config ca.cnf -cert authority.pem -keyfile authority.pk8";
    this.#openssl(`${signing} -extfile ${name}.cnf -extensions leaf -enddate ${end} -in ${name}.csr -out ${name}.pem`);
    return { key: join(this.#folder, `${name}.pk8`), certificate: join(this.#folder, `${name}.pem`) };
  }

  #newKey(name: string): void {
    this.#openssl(`genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ${name}.pk8`);
  }

  /** Runs OpenSSL in the folder. No argument has a space. */
  #openssl(line: string): void {
    execFileSync("openssl", line.split(" "), { cwd: this.#folder, stdio: ["ignore", "ignore", "pipe"] });
  }
}
