import { join } from "node:path";
import t, { type Test } from "tap";
import { HOST } from "../fault/support/rig.js";
import { handshake } from "../support/openssl-client.js";
import { TestAuthority } from "../support/tls-world.js";
import { startWorkers, type WorkersRig } from "./workers-rig.js";

const VERSIONS = [
  ["TLSv1.2", "-tls1_2"],
  ["TLSv1.3", "-tls1_3"],
] as const;

/** More than round robin needs to reach both of two workers. */
const MOST_CONNECTIONS = 20;

interface Secure {
  readonly rig: WorkersRig;
  /** One request on a connection of its own by openssl. */
  visit(args: readonly string[]): Promise<Visit>;
  sessionFile(name: string): string;
}

interface Visit {
  readonly isReused: boolean;
  readonly text: string;
  /** What is alike in the ids of requests of one process. */
  readonly worker: string;
}

async function startSecure(t: Test): Promise<Secure> {
  const ca = new TestAuthority(t);
  const tls = { certificates: [ca.issue({ san: `DNS:${HOST}` })] };
  const rig = await startWorkers(t, {
    workers: 2,
    more: { listeners: [{ name: "web", address: "127.0.0.1:0", tls }] },
  });
  const trust = ["-CAfile", ca.caFile, "-servername", HOST, "-verify_return_error", "-ign_eof"];
  let count = 0;
  const visit = async (args: readonly string[]): Promise<Visit> => {
    count += 1;
    const target = `/hello.txt?visit=${count}`;
    const request = `GET ${target} HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`;
    const { text } = await handshake(rig.port, [...trust, ...args], request);
    const line = new RegExp(`^.*${target.replace("?", "\\?")}".*$`, "m");
    await rig.program.until(() => line.test(rig.program.stdout));
    const [entry = ""] = line.exec(rig.program.stdout) ?? [];
    const worker = /"requestId":"([0-9A-F]{12})/.exec(entry)?.[1] ?? "";
    return { isReused: /^Reused, /m.test(text), text, worker };
  };
  return { rig, visit, sessionFile: (name) => join(ca.directory, name) };
}

/** Comes again with a session, on new connections, until each of two workers has resumed it. */
async function visitBoth({ visit }: Secure, args: readonly string[]): Promise<readonly Visit[]> {
  const visits: Visit[] = [];
  while (new Set(visits.map(({ worker }) => worker)).size < 2 && visits.length < MOST_CONNECTIONS) {
    visits.push(await visit(args));
  }
  return visits;
}

t.test(
  "a session that one worker began is resumed by the other, by one that comes later, and after a reload",
  async (t) => {
    const secure = await startSecure(t);
    const { rig, visit, sessionFile } = secure;
    for (const [version, only] of VERSIONS) {
      const file = sessionFile(version);
      const first = await visit([only, "-sess_out", file]);
      t.notOk(first.isReused, `${version}: there was nothing to resume`);
      t.match(first.text, `Protocol  : ${version}`);
      t.match(first.text, /^HTTP\/1\.1 200 /m);
      const visits = await visitBoth(secure, [only, "-sess_in", file]);
      t.equal(new Set(visits.map(({ worker }) => worker)).size, 2, `${version}: both were reached`);
      t.ok(
        visits.every(({ isReused, text }) => isReused && /^HTTP\/1\.1 200 /m.test(text)),
        `${version}: all ${visits.length} were resumed, and answered`,
      );
    }
    const handshakes = 'ossgate_tls_handshakes_total{listener="web",resumed="true"}';
    t.ok((await rig.metric(handshakes)) >= 4, "it is counted");

    const [killed = 0] = await rig.workerPids();
    process.kill(killed, "SIGKILL");
    await rig.program.until(() => rig.program.stderr.includes("a worker ended and is replaced"));
    await rig.until(async () => (await rig.metric('ossgate_workers{state="serving"}')) === 2);
    t.match(JSON.parse(await rig.admin("/reload", "POST")), { ok: true });
    for (const [version, only] of VERSIONS) {
      const visits = await visitBoth(secure, [only, "-sess_in", sessionFile(version)]);
      t.equal(new Set(visits.map(({ worker }) => worker)).size, 2, `${version}: both were reached`);
      t.ok(
        visits.every(({ isReused }) => isReused),
        `${version}: by the new one too`,
      );
    }
  },
);

t.test("another run of the program does not take them up, and answers all the same", async (t) => {
  const [one, other] = [await startSecure(t), await startSecure(t)];
  for (const [version, only] of VERSIONS) {
    const file = one.sessionFile(version);
    await one.visit([only, "-sess_out", file]);
    const { isReused, text } = await other.visit([only, "-sess_in", file]);
    t.notOk(isReused, version);
    t.match(text, /^HTTP\/1\.1 200 /m);
  }
});
