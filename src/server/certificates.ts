import { createHash } from "node:crypto";
import { isIP } from "node:net";
import type { TlsConfig } from "../config/gateway-config.js";
import { canonicalIpv6 } from "../core/host.js";
import { expandPath, fileVersion, readSmallFile } from "../credentials/small-file.js";
import { findPairs, type PairFiles } from "./certificate-files.js";
import { type CertificatePair, hostName, readCertificates, readPair } from "./certificate-pair.js";

/** A pair that is shown, and why a newer one of its files is not. */
export interface HeldPair {
  readonly pair: CertificatePair;
  readonly place: number;
  readonly isFound: boolean;
  /** One sentence; `null`: it is what the files have. */
  readonly problem: string | null;
}

/** What one listener shows, and whom it believes, at one time. Frozen; a renewal makes another. */
export class Certificates {
  /** In the configuration's order. */
  readonly held: readonly HeldPair[];
  /** PEM of the authorities of client certificates; `null`: none is asked for. */
  readonly clientCa: string | null;
  /** Tells apart what differs for clients. */
  readonly digest: string;
  readonly #byName = new Map<string, HeldPair>();
  readonly #byAddress = new Map<string, HeldPair>();

  constructor(held: readonly HeldPair[], clientCa: string | null) {
    this.held = held;
    this.clientCa = clientCa;
    for (const one of held) {
      for (const name of one.pair.names) claim(this.#byName, name, one);
      for (const address of one.pair.addresses) claim(this.#byAddress, address, one);
    }
    const hash = createHash("sha256").update(clientCa ?? "");
    for (const { pair } of held) hash.update(pair.digest);
    this.digest = hash.digest("base64");
  }

  /**
   * For a client that names its host: the name itself, then the wildcard of its first label (RFC 9525 §6.3), then the
   * address where the name is one, as some old clients send it; else the first. `null`: there is none at all.
   */
  forName(servername: string): CertificatePair | null {
    const name = hostName(servername);
    const exact = this.#byName.get(name);
    if (exact !== undefined) return exact.pair;
    const dot = name.indexOf(".");
    const wildcard = dot === -1 ? undefined : this.#byName.get(`*${name.slice(dot)}`);
    if (wildcard !== undefined) return wildcard.pair;
    const address = isIP(name) === 0 ? undefined : this.#byAddress.get(canonicalIpv6(name));
    return (address ?? this.held[0])?.pair ?? null;
  }

  /**
   * For a client that names none, as those do that connect to an address: the one for that address; where the address is
   * translated on the way, as a public one of ECS is, the first for an address; else the first.
   * @param localAddress of the connection; `null` when it is not known
   */
  forAddress(localAddress: string | null): CertificatePair | null {
    const own = localAddress === null ? undefined : this.#byAddress.get(canonicalIpv6(localAddress));
    const [first] = this.held;
    const any = this.held.find(({ pair }) => pair.addresses.length > 0);
    return (own ?? any ?? first)?.pair ?? null;
  }
}

/** The first that was written keeps a name; of those that were found together the one that is good for longest. */
function claim(claims: Map<string, HeldPair>, name: string, one: HeldPair): void {
  const before = claims.get(name);
  const goesFirst =
    before === undefined || (before.place === one.place && one.isFound && one.pair.notAfterMs > before.pair.notAfterMs);
  if (goesFirst) claims.set(name, one);
}

type Known = ReadonlyMap<string, HeldPair & { readonly version: string }>;

/** Reads a listener's certificates, and reads them again when their files change. */
export class CertificateReader {
  readonly #config: TlsConfig;
  /** By certificate file. */
  #known: Known = new Map();
  #clientCa: { readonly text: string; readonly version: string } | null = null;
  /** What could not be read and has no last good version: of directories, and of the authorities. */
  problems: readonly string[] = [];

  constructor(config: TlsConfig) {
    this.#config = config;
  }

  /**
   * @param isFirst what the configuration names must be good; later the last good version stays, with the problem
   * @throws Error with one sentence
   */
  async read(isFirst: boolean): Promise<Certificates> {
    const problems: string[] = [];
    const known = new Map<string, HeldPair & { readonly version: string }>();
    for (const files of await findPairs(this.#config.certificates)) {
      const pair = await this.#readOne(files, isFirst, problems);
      if (pair !== null) known.set(files.certFile, pair);
    }
    if (known.size === 0 && this.#known.size > 0) problems.push("all certificates are gone; the last ones are kept");
    else this.#known = known;
    await this.#readClientCa(isFirst, problems);
    this.problems = problems;
    return new Certificates([...this.#known.values()], this.#clientCa?.text ?? null);
  }

  async #readOne(files: PairFiles, isFirst: boolean, problems: string[]) {
    const before = this.#known.get(files.certFile);
    const { certFile, keyFile, place, isFound } = files;
    // Before the reading: what changes meanwhile is another version the next time.
    const version = `${await fileVersion(certFile)} ${await fileVersion(keyFile)}`;
    if (before?.version === version) return before;
    try {
      const [cert, key] = [await readSmallFile(certFile), await readSmallFile(keyFile)];
      return { pair: readPair({ certFile, keyFile, cert, key }), place, isFound, problem: null, version };
    } catch (error) {
      const problem = (error as Error).message;
      if (before !== undefined) return { ...before, problem, version };
      if (isFirst && !isFound) throw error;
      problems.push(problem);
      return null;
    }
  }

  async #readClientCa(isFirst: boolean, problems: string[]): Promise<void> {
    const { clientCaFile } = this.#config;
    if (clientCaFile === null) return;
    const path = expandPath(clientCaFile, process.env);
    const version = await fileVersion(path);
    if (this.#clientCa?.version === version) return;
    try {
      const text = readCertificates(await readSmallFile(path), path)
        .map(String)
        .join("");
      this.#clientCa = { text, version };
    } catch (error) {
      if (isFirst) throw error;
      problems.push(`${(error as Error).message}; the authorities that were read last are kept`);
    }
  }
}
