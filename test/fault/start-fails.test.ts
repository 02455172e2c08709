import { join } from "node:path";
import t, { type Test } from "tap";
import { Program } from "./support/program.js";
import { configText } from "./support/rig.js";
import { startOrigin } from "./support/sockets.js";

interface Text {
  readonly listener?: string;
  readonly admin?: string;
  readonly caFile?: string;
}

function startWith(t: Test, { listener, admin, caFile }: Text): Program {
  const endpoint = caFile === undefined ? "http://127.0.0.1:9" : "https://127.0.0.1:9";
  let text = configText({ endpoint, ...(caFile === undefined ? {} : { bucket: { caFile } }) });
  if (listener !== undefined)
    text = text.replace(`"name":"web","address":"127.0.0.1:0"`, `"name":"web","address":"${listener}"`);
  if (admin !== undefined) text = text.replace(`"admin":{"address":"127.0.0.1:0"}`, `"admin":{"address":"${admin}"}`);
  return new Program(t, text);
}

/** It ends by itself with status 1, and says why in one line; what else it says is log lines. */
const checkFails = (t: Test, program: Program, ...words: readonly string[]): Promise<void> =>
  checkEnds(t, program, 1, words);

/** The same with status 3: starting it again would not help. */
const checkRefused = (t: Test, program: Program, ...words: readonly string[]): Promise<void> =>
  checkEnds(t, program, 3, words);

async function checkEnds(t: Test, program: Program, status: number, words: readonly string[]): Promise<void> {
  t.equal(await program.exited, status);
  const lines = program.stderr
    .trim()
    .split("\n")
    .filter((line) => !line.startsWith("{"));
  t.equal(lines.length, 1, program.stderr);
  for (const word of words) t.match(lines[0], word);
  t.equal(program.stdout, "");
}

t.test("a port that is in use", async (t) => {
  const { port } = await startOrigin(t, () => {});
  await checkFails(
    t,
    startWith(t, { listener: `127.0.0.1:${port}` }),
    "listener web",
    `127.0.0.1:${port}`,
    "another program",
  );
});

t.test("an admin port that is in use", async (t) => {
  const { port } = await startOrigin(t, () => {});
  await checkFails(t, startWith(t, { admin: `127.0.0.1:${port}` }), "admin", `127.0.0.1:${port}`, "another program");
});

t.test("an address that this machine does not have", async (t) => {
  // TEST-NET-1 of RFC 5737.
  await checkFails(
    t,
    startWith(t, { listener: "192.0.2.1:8080" }),
    "listener web",
    "192.0.2.1:8080",
    "no such address",
  );
});

const isRoot = process.getuid?.() === 0;
t.test("a port below 1024 without the right to it", { skip: isRoot && "root may bind every port" }, async (t) => {
  await checkFails(t, startWith(t, { listener: "127.0.0.1:1" }), "listener web", "127.0.0.1:1", "CAP_NET_BIND_SERVICE");
});

t.test("a caFile that is not there", async (t) => {
  const caFile = join(t.testdir(), "missing.pem");
  await checkRefused(t, startWith(t, { caFile }), "buckets.media.caFile", caFile);
});

t.test("a caFile that holds no certificate", async (t) => {
  const caFile = join(t.testdir({ "empty.pem": "not a certificate\n" }), "empty.pem");
  await checkRefused(t, startWith(t, { caFile }), "buckets.media.caFile");
});
