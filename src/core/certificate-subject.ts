/** One attribute of a certificate's subject. */
export interface SubjectPart {
  /** Lower case: `cn`, `o`. */
  readonly type: string;
  readonly value: string;
}

/** Other names of attribute types, and what OpenSSL calls them. Lower case. */
const SYNONYMS: ReadonlyMap<string, string> = new Map([
  ["commonname", "cn"],
  ["organization", "o"],
  ["organizationname", "o"],
  ["organizationalunit", "ou"],
  ["organizationalunitname", "ou"],
  ["country", "c"],
  ["countryname", "c"],
  ["locality", "l"],
  ["localityname", "l"],
  ["s", "st"],
  ["stateorprovincename", "st"],
  ["e", "emailaddress"],
  ["email", "emailaddress"],
  ["domaincomponent", "dc"],
  ["userid", "uid"],
]);

/** A part's text: a backslash takes the meaning off `/`, `=` and itself. */
const PART = /^([A-Za-z][A-Za-z0-9.]*)=((?:[^\\/=\p{Cc}]|\\[\\/=])+)$/u;

/**
 * Reads what is wanted of a subject: `NAME=value`, several with `/` between them, `O=Example Ltd/CN=partner`; one may
 * stand before the first too, as OpenSSL writes it.
 * @returns `null` for what is none
 */
export function parseSubjectText(text: string): readonly SubjectPart[] | null {
  const parts: SubjectPart[] = [];
  for (const part of splitParts(text.startsWith("/") ? text.slice(1) : text)) {
    const [, type, value] = PART.exec(part.trim()) ?? [];
    if (type === undefined || value === undefined) return null;
    const lower = type.toLowerCase();
    parts.push({ type: SYNONYMS.get(lower) ?? lower, value: value.replace(/\\(.)/gu, "$1") });
  }
  return parts;
}

/** At each `/` without a backslash before it. */
function splitParts(text: string): readonly string[] {
  const parts: string[] = [];
  let start = 0;
  for (let i = 0; i < text.length; i += 1) {
    if (text[i] === "\\") i += 1;
    else if (text[i] === "/") {
      parts.push(text.slice(start, i));
      start = i + 1;
    }
  }
  return [...parts, text.slice(start)];
}
