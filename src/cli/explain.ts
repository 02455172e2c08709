import { ADMIN_OPTIONS, type AdminAccess, askAdmin, readAccess } from "./admin-client.js";
import { readArguments } from "./arguments.js";
import { EXIT } from "./exit-codes.js";

const HELP = `Usage: ossgate explain [OPTIONS] URL

Asks the running gateway what would become of a request, step by step: which
route takes it, each check with its verdict, what would be sent to OSS. Nothing
is sent, signed or counted. Signatures and links in it are not shown again.

  ossgate explain https://img.example.com/a.png -H 'Referer: https://x.test/'

  -X, --method WORD    GET when absent
  -H, --header 'NAME: VALUE'
                       of the request; may be repeated
  --client ADDRESS     where it comes from; this machine when absent
  --listener NAME      by the URL's scheme and port when absent
  --json               print it as JSON
  -c, --config FILE    tells where the admin listener is, and what opens it
                       (./gateway.yaml, else /etc/ossgate/gateway.yaml)
  --admin ADDRESS      the admin listener, ip:port
  --secret-file FILE   holds its bearer secret
  -h, --help           print this

Exit code: 0 explained, whatever the verdict; 2 wrong usage; 1 anything else.
`;

interface ExplainOptions {
  readonly access: AdminAccess;
  /** Parameters of `/routes/explain`. */
  readonly query: URLSearchParams;
}

/** `ossgate explain URL`; resolves with the exit status. */
export async function explain(args: readonly string[]): Promise<number> {
  const options = parseExplainArgs(args);
  if (typeof options === "number") return options;
  const { access, query } = options;
  try {
    const path = `/routes/explain?${query}`;
    const { status, body } = await askAdmin(access, { method: "GET", path, isShown: true, otherwise: "" });
    return print(status, body);
  } catch (error) {
    process.stderr.write(`ossgate explain: ${(error as Error).message}\n`);
    return EXIT.failed;
  }
}

function print(status: number, body: string): number {
  if (status === 200) {
    process.stdout.write(body.endsWith("\n") ? body : `${body}\n`);
    return EXIT.good;
  }
  const [first = ""] = body.split("\n");
  if (status === 400) return usage(first);
  const next = status === 401 ? " Name a file that holds the secret with --secret-file." : "";
  process.stderr.write(`ossgate explain: the gateway answered ${status}: ${first.slice(0, 500)}${next}\n`);
  return EXIT.failed;
}

function parseExplainArgs(args: readonly string[]): ExplainOptions | number {
  const parsed = readArguments({
    args: [...args],
    options: {
      ...ADMIN_OPTIONS,
      method: { type: "string", short: "X" },
      header: { type: "string", short: "H", multiple: true, default: [] },
      client: { type: "string" },
      listener: { type: "string" },
      json: { type: "boolean", default: false },
    },
    allowPositionals: true,
  });
  if (typeof parsed === "string") return usage(parsed);
  const { values, positionals } = parsed;
  if (values.help === true) {
    process.stdout.write(HELP);
    return EXIT.good;
  }
  const [url, ...rest] = positionals;
  if (url === undefined || rest.length > 0) return usage(url === undefined ? "which URL?" : "one URL at a time");
  const access = readAccess(values);
  if (typeof access === "string") return usage(access);
  const query = new URLSearchParams({ url, format: values.json ? "json" : "text" });
  for (const name of ["method", "client", "listener"] as const) {
    const value = values[name];
    if (value !== undefined) query.set(name, value);
  }
  for (const header of values.header) query.append("header", header);
  return { access, query };
}

function usage(message: string): number {
  process.stderr.write(`ossgate explain: ${message}\nSee 'ossgate explain --help'.\n`);
  return EXIT.usage;
}
