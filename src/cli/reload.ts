import { callAdmin } from "./admin-call.js";

const HELP = `Usage: ossgate reload [OPTIONS]

Tells the running gateway to read its configuration file again and to serve by
it. Requests in flight end by what they began with, and no connection is closed.
A file with problems changes nothing: they are printed as 'ossgate check' does.

  -c, --config FILE    tells where the admin listener is, and what opens it
                       (./gateway.yaml, else /etc/ossgate/gateway.yaml)
  --admin ADDRESS      the admin listener, ip:port; for a reload that moves it
  --secret-file FILE   holds its bearer secret; for when a shell cannot read it
                       where the configuration says
  -h, --help           print this

Exit code: 0 reloaded, 3 bad configuration, 2 wrong usage, 1 anything else.
`;

/** `ossgate reload`; resolves with the exit status. */
export function reload(args: readonly string[]): Promise<number> {
  return callAdmin(
    {
      command: "reload",
      path: "/reload",
      help: HELP,
      otherwise: "'systemctl reload ossgate' needs none.",
      done: ({ generation }) => `reloaded: configuration ${generation} is served`,
    },
    args,
  );
}
