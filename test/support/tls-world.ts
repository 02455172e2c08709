import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Teardown } from "./gateway.js";

/** A certificate with its key, in files. */
export interface TestCertificate {
  readonly certFile: string;
  readonly keyFile: string;
}

export interface CertificateWishes {
  /** subjectAltName, `DNS:img.example.com,IP:127.0.0.1`; absent: none. */
  readonly san?: string;
  /** As openssl writes it, `/CN=partner`. */
  readonly subject?: string;
  /** Days from now at which it ends; may be past. */
  readonly days?: number;
  readonly name?: string;
}

/** An authority of the tests' own, made by openssl in a folder that goes with the test. */
export class TestAuthority {
  readonly directory: string;
  readonly caFile: string;
  #count = 0;

  constructor(t: Teardown) {
    this.directory = mkdtempSync(join(tmpdir(), "ossgate-tls-"));
    t.teardown(() => rmSync(this.directory, { recursive: true, force: true }));
    this.caFile = this.path("ca.pem");
    openssl(
      "req",
      "-x509",
      ...EC,
      "-keyout",
      this.path("ca.key"),
      "-out",
      this.caFile,
      "-days",
      "30",
      "-subj",
      "/CN=Test CA",
    );
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  /** Makes a certificate of the authority. */
  issue({ san, subject = "/CN=test", days = 20, name = `pair-${this.#count}` }: CertificateWishes): TestCertificate {
    this.#count += 1;
    const [certFile, keyFile, request, extensions] = ["pem", "key", "csr", "ext"].map((end) =>
      this.path(`${name}.${end}`),
    ) as [string, string, string, string];
    openssl("req", "-new", ...EC, "-keyout", keyFile, "-out", request, "-subj", subject);
    writeFileSync(extensions, san === undefined ? "basicConstraints=CA:FALSE\n" : `subjectAltName=${san}\n`);
    const place = ["-CA", this.caFile, "-CAkey", this.path("ca.key"), "-set_serial", String(1000 + this.#count)];
    openssl("x509", "-req", "-in", request, ...place, "-out", certFile, "-days", String(days), "-extfile", extensions);
    return { certFile, keyFile };
  }
}

const EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

function openssl(...args: readonly string[]): void {
  execFileSync("openssl", args, { stdio: ["ignore", "ignore", "pipe"] });
}

/** A listener's `certificates` in YAML. */
export function pairsOf(...pairs: readonly TestCertificate[]): string {
  return `[${pairs.map(({ certFile, keyFile }) => `{ certFile: ${certFile}, keyFile: ${keyFile} }`).join(", ")}]`;
}
