import type { Findings } from "./findings.js";
import type { Listen } from "./listen.js";
import type { Scope } from "./scope.js";
import { COMMENTS, type YamlMap } from "./yaml-text.js";

interface Draft {
  readonly address: string;
  readonly port: number;
  isTls: boolean;
  isProxied: boolean;
  readonly certificates: Map<string, YamlMap>;
  minVersion: string | undefined;
  clientCaFile: string | undefined;
  /** Servers have different ones, and NGINX asked each client for one of its server's. */
  hasOtherCa: boolean;
  isOptional: boolean;
}

/** In the place of a certificate that the file does not name. */
const UNKNOWN_CERTIFICATE = { certFile: "/etc/ossgate/tls/change-me.pem", keyFile: "/etc/ossgate/tls/change-me.key" };

/** The sockets of all servers: one listener for each address and port. */
export class Listeners {
  readonly #drafts = new Map<string, Draft>();
  readonly #findings: Findings;
  /** Addresses that another one includes. */
  readonly #includedIn = new Map<string, string>();

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  /** @param all the `listen`s of every server, before any is asked for its name */
  add(all: readonly Listen[]): void {
    const everywhere = new Map<number, string>();
    for (const { address, port } of all) {
      if (address.startsWith("[::]:")) everywhere.set(port, address);
      else if (address.startsWith("0.0.0.0:") && !everywhere.has(port)) everywhere.set(port, address);
    }
    for (const listen of all) {
      const address = everywhere.get(listen.port) ?? listen.address;
      this.#includedIn.set(listen.address, address);
      const draft = this.#drafts.get(address) ?? emptyDraft(address, listen.port);
      draft.isTls ||= listen.isTls;
      draft.isProxied ||= listen.isProxied;
      this.#drafts.set(address, draft);
    }
  }

  /** The listener's name; `http-80`, `https-443`, with the address where it is a certain one. */
  nameOf({ address }: Listen): string {
    return nameOf(this.#draft(address));
  }

  isTls({ address }: Listen): boolean {
    return this.#draft(address).isTls;
  }

  get names(): readonly string[] {
    return [...this.#drafts.values()].map(nameOf);
  }

  /** Takes over what a server says of TLS. */
  addTls(listens: readonly Listen[], scope: Scope): void {
    const certificates = scope.all("ssl_certificate");
    const keys = scope.all("ssl_certificate_key");
    const drafts = listens.map(({ address }) => this.#draft(address)).filter(({ isTls }) => isTls);
    certificates.forEach((certificate, index) => {
      const [certFile = ""] = certificate.args;
      const key = keys[index];
      const [keyFile = ""] = key?.args ?? [];
      if (certFile.includes("$") || keyFile === "" || keyFile.startsWith("engine:") || certFile.startsWith("data:")) {
        for (const one of [certificate, key])
          this.#findings.unsupported(one, "write the paths of two PEM files into tls.certificates");
        return;
      }
      for (const one of [certificate, key])
        this.#findings.taken(one, "tls.certificates, chosen by the names that the certificate has");
      for (const draft of drafts) draft.certificates.set(`${certFile} ${keyFile}`, { certFile, keyFile });
    });
    for (const draft of drafts) this.#addVersions(draft, scope);
    for (const draft of drafts) this.#addClientCa(draft, scope);
  }

  /** `listeners` of the file. */
  yaml(): readonly YamlMap[] {
    return [...this.#drafts.values()].map((draft) => ({
      name: nameOf(draft),
      address: draft.address,
      tls: draft.isTls ? tlsOf(draft) : undefined,
      proxyProtocol: draft.isProxied ? true : undefined,
    }));
  }

  /** Whether clients of a listener can show a certificate. */
  asksForCertificates(name: string): boolean {
    return [...this.#drafts.values()].some(
      (draft) => nameOf(draft) === name && draft.isTls && draft.clientCaFile !== undefined,
    );
  }

  /** Whether a server asked for certificates that its listeners, which it shares with others, do not ask for. */
  asksForLess(listens: readonly Listen[], scope: Scope): boolean {
    const [mode = "off"] = scope.one("ssl_verify_client")?.args ?? [];
    const drafts = listens.map(({ address }) => this.#draft(address)).filter(({ isTls }) => isTls);
    return mode !== "off" && drafts.some((draft) => draft.hasOtherCa || (mode === "on" && draft.isOptional));
  }

  get ports(): readonly number[] {
    return [...this.#drafts.values()].map(({ port }) => port);
  }

  #draft(address: string): Draft {
    return this.#drafts.get(this.#includedIn.get(address) ?? address) ?? emptyDraft(address, 0);
  }

  #addVersions(draft: Draft, scope: Scope): void {
    const directive = scope.one("ssl_protocols");
    if (directive === undefined) return;
    const { args } = directive;
    if (args.some((version) => /^(?:SSLv[23]|TLSv1|TLSv1\.1)$/i.test(version)))
      this.#findings.dangerous(directive, "TLS 1.1 and older are broken; TLS 1.2 is the least here");
    const isNewest = args.length > 0 && args.every((version) => version === "TLSv1.3");
    draft.minVersion = isNewest ? "TLSv1.3" : draft.minVersion;
    this.#findings.taken(directive, "tls.minVersion");
  }

  #addClientCa(draft: Draft, scope: Scope): void {
    const ca = scope.one("ssl_client_certificate");
    const verify = scope.one("ssl_verify_client");
    const [mode = "off"] = verify?.args ?? [];
    if (verify === undefined || mode === "off") {
      this.#findings.taken(verify, "nothing to write");
      this.#findings.taken(ca, "nothing to write: no client is asked for a certificate");
      return;
    }
    const [file] = ca?.args ?? [];
    if (file === undefined) {
      this.#findings.unsupported(verify, "write the authorities into tls.clientCaFile");
      return;
    }
    draft.hasOtherCa ||= draft.clientCaFile !== undefined && draft.clientCaFile !== file;
    draft.clientCaFile ??= file;
    draft.isOptional ||= mode !== "on";
    this.#findings.taken(ca, "tls.clientCaFile, for all names of the listener");
    if (mode === "optional_no_ca")
      this.#findings.dangerous(verify, "NGINX let unknown certificates pass; here they are refused");
    else this.#findings.taken(verify, "tls.clientCertificate");
  }
}

function emptyDraft(address: string, port: number): Draft {
  return {
    address,
    port,
    isTls: false,
    isProxied: false,
    certificates: new Map(),
    minVersion: undefined,
    clientCaFile: undefined,
    hasOtherCa: false,
    isOptional: false,
  };
}

function nameOf({ address, port, isTls }: Draft): string {
  const host = address.slice(0, address.lastIndexOf(":"));
  const where =
    host === "0.0.0.0" || host === "[::]" ? "" : `-${host.replace(/[[\]]/g, "").replace(/[^0-9a-z.]+/gi, "-")}`;
  return `${isTls ? "https" : "http"}-${port}${where}`;
}

function tlsOf({ certificates, minVersion, clientCaFile, isOptional }: Draft): YamlMap {
  const known = [...certificates.values()];
  return {
    [COMMENTS]: known.length === 0 ? ["No certificate stood in the file: name one."] : [],
    certificates: known.length === 0 ? [UNKNOWN_CERTIFICATE] : known,
    minVersion,
    clientCaFile,
    clientCertificate: clientCaFile !== undefined && isOptional ? "optional" : undefined,
  };
}
