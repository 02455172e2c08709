import type { Directive } from "./directive.js";

/** A directive in a report: as it stands, shortened, without what may be a secret. */

const MAX_SHOWN_CHARS = 90;
const MASK = "***";

/** What names a secret, or is one. */
const SECRETIVE = /secret|passw|token|authorization|secure_link_md5|cookie/i;
/** Headers whose values tell nothing that clients could not be told. */
const PLAIN_HEADER =
  /^(?:host|connection|upgrade|range|if-.+|accept.*|content-.+|x-forwarded-.+|x-real-ip|user-agent|referer|origin|te|expect|cache-control)$/i;
/** What conditions ask about that is no secret: nobody is let in by it. */
const PLAIN_CONDITION =
  /^\(?\s*(?:!?-[fdex]\b|\$(?:request_method|host|http_host|scheme|server_port|https|ssl_\w+|invalid_referer|secure_link|http_user_agent|http_referer|http_origin|http_x_forwarded_proto|remote_addr|request_uri|uri|document_uri|server_name|server_protocol|request_filename|content_type|http_via|http_range|geoip\w*)\b)/;

export function shownDirective(directive: Directive): string {
  const { name, block } = directive;
  const words = shownArguments(directive).map((word) => (word === "" ? '""' : withoutQuery(word, name)));
  // The tokens lose the bracket behind a quote, as NGINX's do.
  const end = name === "if" && !words.at(-1)?.endsWith(")") ? ")" : "";
  const text = `${[name, ...words].join(" ")}${end}`;
  const short = text.length > MAX_SHOWN_CHARS ? `${text.slice(0, MAX_SHOWN_CHARS - 1)}…` : text;
  return block === null ? short : `${short} {}`;
}

function shownArguments({ name, args }: Directive): readonly string[] {
  const [first = "", ...others] = args;
  const isZone = /^limit_(?:req|conn)/.test(name);
  switch (name) {
    case "include":
      // Of nothing: it carries the reason behind the name.
      return args.slice(0, 1);
    case "set":
      return [first, ...others.map(maskedValue)];
    case "proxy_set_header":
    case "fastcgi_param":
      return [first, ...(PLAIN_HEADER.test(first) ? others : others.map(maskedValue))];
    case "if":
      return PLAIN_CONDITION.test(first)
        ? args
        : [first.replace(/([=~*])(?!=)[^=~*]+$/, `$1 ${MASK}`), ...maskedCondition(others)];
    default:
      return !isZone && args.length > 0 && SECRETIVE.test(`${name} ${first}`) ? [MASK] : args;
  }
}

/** Variables, numbers and nothing are no secrets. */
function maskedValue(value: string): string {
  return value === "" || /^(?:\$\{?\w+\}?|[01])$/.test(value) ? value : MASK;
}

/** The operator stays. */
function maskedCondition(words: readonly string[]): readonly string[] {
  const [operator, ...others] = words;
  if (operator === undefined) return [];
  const isOperator = /^!?(?:=|~\*?)$/.test(operator);
  return isOperator
    ? [operator, ...others.map((word) => (word === "" || word === ")" ? word : MASK))]
    : words.map(() => MASK);
}

/** Addresses may carry keys in their query, and a name and password. */
function withoutQuery(word: string, name: string): string {
  if (name === "if" || name === "location") return word;
  return word.replace(/^(\w+:\/\/)[^/@\s]+@/, `$1${MASK}@`).replace(/(\?[\w.-]+=)[^$\s][^\s]*/, `$1${MASK}`);
}
