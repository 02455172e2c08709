import { callAdmin } from "./admin-call.js";

const HELP = `Usage: ossgate upgrade [OPTIONS]

Tells the running gateway to replace its workers, one by one, by new ones of the
program as it is on the disk now. Each new one serves before an old one ends; no
request fails and no connection is refused. The main process stays what it is;
when it and the new program do not understand each other any more, nothing is
replaced, and the message says to restart.

  -c, --config FILE    tells where the admin listener is, and what opens it
                       (./gateway.yaml, else /etc/ossgate/gateway.yaml)
  --admin ADDRESS      the admin listener, ip:port
  --secret-file FILE   holds its bearer secret; for when a shell cannot read it
                       where the configuration says
  -h, --help           print this

Exit code: 0 upgraded, 2 wrong usage, 1 anything else.
`;

/** `ossgate upgrade`; resolves with the exit status. */
export function upgrade(args: readonly string[]): Promise<number> {
  return callAdmin(
    { command: "upgrade", path: "/upgrade", help: HELP, done: () => "upgraded: all workers are new" },
    args,
  );
}
