import { callAdmin } from "./admin-call.js";

const HELP = `Usage: ossgate reload [--config FILE] [--admin ADDRESS]

Tells the running gateway to read its configuration file again and to serve by
it. Requests in flight end by what they began with, and no connection is closed.
A file with problems changes nothing: they are printed as 'ossgate check' does.

  --config FILE     where the address of the admin listener, and what opens it,
                    are read; by default /etc/ossgate/gateway.yaml
  --admin ADDRESS   the admin listener, ip:port; needed when a reload moves it

Exit code: 0 reloaded, 3 bad configuration, 2 wrong usage, 1 anything else.
`;

/** `ossgate reload`; resolves with the exit status. */
export function reload(args: readonly string[]): Promise<number> {
  return callAdmin(
    {
      command: "reload",
      path: "/reload",
      help: HELP,
      done: ({ generation }) => `reloaded: configuration ${generation} is served`,
    },
    args,
  );
}
