import { parseDurationMs } from "../core/units.js";
import { RESPONSE_OVERRIDES } from "../issue/parameters.js";
import { readArguments } from "./arguments.js";
import { configFile, NO_FILE } from "./default-file.js";
import { EXIT } from "./exit-codes.js";

const HELP = `Usage: ossgate sign [OPTION]… URL

Prints one URL that opens what is private: a link, signed with the gateway's
own secret, or an OSS presigned URL whose host is that of URL. What URL's path
means, and what may be issued for it, is what the configuration's routes say.

  --link                a link; what is made where the route has allow.links
  --presign             a presigned URL; what is made elsewhere
  --expires DURATION    how long it is good: 30m, 12h, 7d (1h)
  --method METHOD       GET (links: HEAD too), HEAD or PUT (GET)
  --process VALUE       x-oss-process, image/resize,w_200 say
  --response-NAME VALUE what OSS answers in a header: content-type,
                        content-language, expires, cache-control,
                        content-disposition or content-encoding
  --explain             what was signed, secrets masked, on standard error
  -c, --config FILE     the configuration (./gateway.yaml, else
                        /etc/ossgate/gateway.yaml)

Links:
  --prefix              everything below URL, which ends at a /
  --client ADDRESS      for this client alone

Presigned URLs:
  --version v4|v1       of the signature (v4)
  --header 'NAME: VALUE'
                        what the client will send: Content-Type, Content-MD5
                        or x-oss-*; may be repeated
  --credentials NAME    which of the configuration's sign; the route's own,
                        or the only ones, when absent

Exit codes: 0 printed, 1 refused, 2 wrong usage, 3 bad configuration.
`;

/** What the command line asks for. */
export interface SignOptions {
  /** The configuration file. */
  readonly config: string;
  readonly explains: boolean;
  readonly request: SignRequest;
  /** Options that were given and make no sense for the other kind. */
  readonly onlyLinks: readonly string[];
  readonly onlyPresigned: readonly string[];
}

export interface SignRequest {
  readonly url: string;
  /** `null`: what the route is for. */
  readonly kind: "link" | "presigned" | null;
  readonly expiresInSeconds: number | undefined;
  readonly method: string;
  readonly process: string | undefined;
  readonly response: Readonly<Record<string, string>>;
  readonly isPrefix: boolean;
  readonly client: string | undefined;
  readonly version: "v4" | "v1" | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly credentials: string | undefined;
}

const TEXT = { type: "string" } as const;
const FLAG = { type: "boolean" } as const;

const OPTIONS = {
  config: { ...TEXT, short: "c" },
  help: { ...FLAG, short: "h" },
  link: FLAG,
  presign: FLAG,
  expires: TEXT,
  method: TEXT,
  process: TEXT,
  explain: FLAG,
  prefix: FLAG,
  client: TEXT,
  version: TEXT,
  header: { ...TEXT, multiple: true },
  credentials: TEXT,
  "response-content-type": TEXT,
  "response-content-language": TEXT,
  "response-expires": TEXT,
  "response-cache-control": TEXT,
  "response-content-disposition": TEXT,
  "response-content-encoding": TEXT,
} as const;

type Values = Exclude<ReturnType<typeof parse>, string>["values"];

function parse(args: readonly string[]) {
  return readArguments({ args: [...args], options: OPTIONS, allowPositionals: true });
}

/** Reads the arguments; the exit status where there is nothing more to do. */
export function readSignOptions(args: readonly string[]): SignOptions | number {
  const parsed = parse(args);
  if (typeof parsed === "string") return signUsage(parsed);
  const { values, positionals } = parsed;
  if (values.help === true) {
    process.stdout.write(HELP);
    return EXIT.good;
  }
  const [url, ...others] = positionals;
  const config = configFile(values.config);
  if (config === null) return signUsage(NO_FILE);
  if (url === undefined) return signUsage("which URL?");
  if (others.length > 0) return signUsage("one URL at a time");
  const request = readRequest(url, values);
  if (typeof request === "string") return signUsage(request);
  return {
    config,
    explains: values.explain === true,
    request,
    onlyLinks: given(values, ["prefix", "client"]),
    onlyPresigned: given(values, ["version", "header", "credentials"]),
  };
}

/** Says what is wrong with the arguments. */
export function signUsage(message: string): number {
  process.stderr.write(`ossgate sign: ${message}\n\n${HELP}`);
  return EXIT.usage;
}

function given(values: Values, names: readonly (keyof Values)[]): readonly string[] {
  return names.filter((name) => values[name] !== undefined).map((name) => `--${name}`);
}

/** What is asked for, or one sentence that says what is wrong. */
function readRequest(url: string, values: Values): SignRequest | string {
  const { link, presign, expires, version } = values;
  if (link === true && presign === true) return "either --link or --presign";
  const expiresInMs = expires === undefined ? undefined : parseDurationMs(expires);
  if (expiresInMs === null) return "--expires is a duration such as 30m, 12h or 7d";
  if (version !== undefined && version !== "v4" && version !== "v1") return "--version is v4 or v1";
  const headers = readHeaders(values.header ?? []);
  if (headers === null) return "--header is 'NAME: VALUE', each name once";
  const isLink = link === true ? "link" : null;
  return {
    url,
    kind: presign === true ? "presigned" : isLink,
    expiresInSeconds: expiresInMs === undefined ? undefined : Math.floor(expiresInMs / 1_000),
    method: (values.method ?? "GET").toUpperCase(),
    process: values.process,
    response: readResponse(values),
    isPrefix: values.prefix === true,
    client: values.client,
    version,
    headers,
    credentials: values.credentials,
  };
}

function readHeaders(lines: readonly string[]): Readonly<Record<string, string>> | null {
  const pairs = lines.map((line) => /^([^:\s]+):\s*(.*)$/.exec(line)?.slice(1) ?? []);
  const names = new Set(pairs.map(([name]) => name?.toLowerCase()));
  if (names.has(undefined) || names.size < lines.length) return null;
  return Object.fromEntries(pairs) as Record<string, string>;
}

function readResponse(values: Values): Readonly<Record<string, string>> {
  const pairs = RESPONSE_OVERRIDES.map((name) => [name, values[`response-${name}`]] as const);
  return Object.fromEntries(pairs.filter((pair): pair is typeof pair & [string, string] => pair[1] !== undefined));
}
