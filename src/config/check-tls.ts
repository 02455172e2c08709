import type { ConfigDraft, Report, RouteDraft } from "./report.js";

type ListenerDraft = NonNullable<NonNullable<ConfigDraft["listeners"]>[number]>;
type TlsDraft = NonNullable<ListenerDraft["tls"]>;
type CertificateDraft = NonNullable<NonNullable<TlsDraft["certificates"]>[number]>;

/** Certificates of listeners, and what answers ACME's challenges. No file is looked at. */
export function checkTls({ listeners, ...draft }: ConfigDraft, report: Report): void {
  listeners?.forEach((listener, index) => {
    if (listener?.tls === undefined) return;
    const path = ["listeners", index, "tls"] as const;
    const { certificates = [] } = listener.tls;
    certificates.forEach((certificate, place) => {
      if (certificate === undefined) return;
      checkPair(certificate, [...path, "certificates", place], report);
      checkRepeated(certificates, place, [...path, "certificates", place], report);
    });
    if (!report.source.has([...path, "clientCertificate"]) || report.source.has([...path, "clientCaFile"])) return;
    report.warning([...path, "clientCertificate"], {
      expected: "clientCaFile with clientCertificate",
      found: "none",
      hint: "No certificate is asked for until the authorities are named.",
    });
  });
  const hasPlain = listeners?.some((listener) => listener !== undefined && listener.tls === undefined);
  if (draft.acmeChallengeDirectory === undefined || hasPlain !== false) return;
  report.warning(["acmeChallengeDirectory"], {
    expected: "a listener without tls, for ACME's challenges",
    hint: "They come over plain HTTP, to port 80.",
  });
}

type PlaceOfPair = readonly ["listeners", number, "tls", "certificates", number];

const PAIR = "certFile and keyFile, or directory";

function checkPair({ directory, certFile, keyFile }: CertificateDraft, path: PlaceOfPair, report: Report): void {
  const has = (key: string): boolean => report.source.has([...path, key]);
  const written = ["certFile", "keyFile", "directory"].filter(has);
  if (has("directory")) {
    const other = written.find((key) => key !== "directory");
    if (other === undefined) return;
    const hint = "The directory's pairs go by their own names. Take one out, or write two certificates.";
    report.problem([...path, other], { expected: PAIR, found: written.join(" with "), hint });
    return;
  }
  if (written.length === 0) report.problem(path, { expected: PAIR });
  else if (written.length === 1) {
    const missing = has("certFile") ? "keyFile" : "certFile";
    report.problem([...path, missing], { expected: PAIR, found: `${written[0]} alone` });
  } else if (certFile !== undefined && certFile === keyFile && directory === undefined) {
    const hint = "The key has a file of its own, which others cannot read.";
    report.problem([...path, "keyFile"], { expected: "two different files", hint });
  }
}

function checkRepeated(
  certificates: readonly (CertificateDraft | undefined)[],
  place: number,
  path: PlaceOfPair,
  report: Report,
): void {
  const { certFile, directory } = certificates[place] as CertificateDraft;
  const key = directory === undefined ? "certFile" : "directory";
  const value = directory ?? certFile;
  if (value === undefined) return;
  const before = certificates.slice(0, place).findIndex((other) => other?.[key] === value);
  if (before === -1) return;
  const hint = `It is the same as [${before}]. Take one out.`;
  report.problem([...path, key], { expected: "each certificate once", hint });
}

/** What a route says that only TLS gives. */
export function checkRouteTls(route: RouteDraft, index: number, draft: ConfigDraft, report: Report): void {
  const path = ["routes", index] as const;
  report.repeats([...path, "allow", "certificates"], route.allow?.certificates);
  const { listeners } = draft;
  if (listeners === undefined || listeners.includes(undefined)) return;
  const known = listeners as readonly ListenerDraft[];
  const own = known.filter(({ name }) => name === undefined || (route.match?.listeners?.includes(name) ?? true));
  checkCertificates(route, index, own, report);
  // TLS may end at a proxy in front, which says so in X-Forwarded-Proto.
  const isBehindProxy = draft.trustedProxies?.length !== 0;
  if (isBehindProxy) return;
  if (route.httpsRedirect === true && !known.some(({ tls }) => tls !== undefined)) {
    report.warning([...path, "httpsRedirect"], {
      expected: "a listener with tls, or trustedProxies, with httpsRedirect",
      hint: "Clients are sent to https, where nobody answers.",
    });
  }
  if (route.hsts !== undefined && !own.some(({ tls }) => tls !== undefined)) {
    report.warning([...path, "hsts"], {
      expected: "a listener with tls, or trustedProxies, with hsts",
      hint: "It is sent over TLS alone: nobody gets it.",
    });
  }
}

function checkCertificates(
  { allow, httpsRedirect }: RouteDraft,
  index: number,
  listeners: readonly ListenerDraft[],
  report: Report,
): void {
  const path = ["routes", index, "allow", "certificates"] as const;
  if (!report.source.has(path) || allow === undefined) return;
  // A listener without TLS shows clients the way to one that has it.
  const deaf = listeners.find(({ tls }) =>
    tls === undefined ? httpsRedirect !== true : tls.clientCaFile === undefined,
  );
  if (deaf === undefined) return;
  report.problem(path, {
    expected: "tls.clientCaFile at every listener of a route that takes certificates",
    found: `listener ${deaf.name ?? ""} without`,
    hint: "Nobody can show a certificate there. Name the listeners in match.listeners, or add clientCaFile.",
  });
}

const YEAR_MS = 365 * 86_400_000;

/** What browsers' lists ask for (hstspreload.org); a list takes years to leave. */
export function checkPreload({ hsts }: RouteDraft, index: number, report: Report): void {
  if (hsts?.preload !== true || (hsts.includeSubDomains === true && (hsts.maxAge ?? YEAR_MS) >= YEAR_MS)) return;
  report.warning(["routes", index, "hsts", "preload"], {
    expected: "includeSubDomains and a maxAge of 365d or more, with preload",
    hint: "Browsers' lists take nothing else.",
  });
}
