import { execFile, execFileSync } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import t from "tap";
import type { OssCredentials } from "../../src/core/secret.js";
import { fileProvider } from "../../src/credentials/file.js";
import { RefreshingSource } from "../../src/credentials/refreshing.js";
import { issuedSet } from "../support/credential-servers.js";
import type { Teardown } from "../support/gateway.js";
import { FakeClock } from "../unit/credentials/fake-clock.js";

const content = (serial: number): string => JSON.stringify(issuedSet(serial, Date.now() + 3_600_000));

function serialOf(set: OssCredentials | null): number | null {
  if (set === null) return null;
  const serial = Number(set.accessKeyId.slice("STS.issued-id-".length));
  const isWhole = set.accessKeySecret.reveal() === `issued-secret-${serial}`;
  if (!isWhole || set.securityToken !== `issued-token-${serial}`) throw new Error("a mixed set");
  return serial;
}

interface Fixture {
  readonly source: RefreshingSource;
  readonly messages: readonly string[];
  serial(): number | null;
  /** Resolves at the next event after which the condition holds. */
  until(condition: () => boolean): Promise<void>;
}

function fixture(t: Teardown, path: string, env: Readonly<Record<string, string>> = {}): Fixture {
  const messages: string[] = [];
  const events = new EventEmitter();
  const source = new RefreshingSource({
    name: "from-file",
    provider: fileProvider({ path, env }),
    events: {
      onRefreshed: () => events.emit("event"),
      onRefreshFailed: (_name, message) => {
        messages.push(message);
        events.emit("event");
      },
    },
  });
  t.teardown(() => source.close());
  const until = async (condition: () => boolean): Promise<void> => {
    // A source and its watch keep no process alive, so while the test waits something else has to.
    const alive = setInterval(() => {}, 60_000);
    while (!condition()) await once(events, "event");
    clearInterval(alive);
  };
  return { source, messages, until, serial: () => serialOf(source.current(Date.now())) };
}

/** Writes as every careful program does: a new file, then renamed over the old one. */
function replaceFile(path: string, text: string): void {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}

t.test("a file that is replaced is read again", async (t) => {
  const path = join(t.testdir({ "oss.json": content(1) }), "oss.json");
  const { source, serial, until, messages } = fixture(t, path);
  await source.start();
  t.equal(serial(), 1);
  for (let round = 2; round <= 5; round += 1) {
    replaceFile(path, content(round));
    await until(() => serial() === round);
  }
  t.strictSame(messages, []);
  t.equal(serialOf(source.find("STS.issued-id-1", Date.now())), 1, "links of before still verify");
});

t.test("a file that is written in place is read again", async (t) => {
  const path = join(t.testdir({ "oss.json": content(1) }), "oss.json");
  const { source, serial, until } = fixture(t, path);
  await source.start();
  writeFileSync(path, content(2));
  await until(() => serial() === 2);
});

t.test("Kubernetes swaps a link beside the file, two links away from the content", async (t) => {
  const directory = t.testdir({ "..v1": { "oss.json": content(1) }, "..v2": { "oss.json": content(2) } });
  const path = join(directory, "oss.json");
  symlinkSync("..v1", join(directory, "..data"));
  symlinkSync("..data/oss.json", path);
  const { source, serial, until } = fixture(t, path);
  await source.start();
  t.equal(serial(), 1);
  symlinkSync("..v2", join(directory, "..data_tmp"));
  renameSync(join(directory, "..data_tmp"), join(directory, "..data"));
  await until(() => serial() === 2);
});

t.test("a broken new file keeps the old set, is reported without its text, and a good one ends that", async (t) => {
  const path = join(t.testdir({ "oss.json": content(1) }), "oss.json");
  const { source, serial, until, messages } = fixture(t, path);
  await source.start();
  for (const [text, message] of [
    ["", /is not a JSON object$/],
    ['{"AccessKeyId": "planted-id", "AccessKeySecret": "planted-se', /is not a JSON object$/],
    ['{"AccessKeyId": "planted-id"}', /^AccessKeySecret from .* is missing$/],
    [JSON.stringify(issuedSet(9, Date.now() - 1_000)), /have expired already/],
    [`${" ".repeat(70_000)}${content(9)}`, /is longer than 64 KiB$/],
  ] as const) {
    replaceFile(path, text);
    await until(() => message.test(messages.at(-1) ?? ""));
    t.equal(serial(), 1, text.slice(0, 40));
  }
  rmSync(path);
  await until(() => messages.at(-1)?.endsWith("cannot be read (ENOENT)") ?? false);
  t.equal(serial(), 1);
  t.notMatch(messages.join(), /planted|issued/);
  replaceFile(path, content(2));
  await until(() => serial() === 2);
});

t.test("a file that is not there yet is taken when it comes", async (t) => {
  const path = join(t.testdir({}), "oss.json");
  const { source, serial, until, messages } = fixture(t, path);
  await source.start();
  t.equal(serial(), null);
  t.strictSame(messages, [`${path} cannot be read (ENOENT)`]);
  replaceFile(path, content(1));
  await until(() => serial() === 1);
});

t.test("a permanent key needs no expiry, and either case will do", async (t) => {
  const text = JSON.stringify({ accessKeyId: "LTAI", accessKeySecret: "secret" });
  const { source } = fixture(t, join(t.testdir({ "oss.json": text }), "oss.json"));
  await source.start();
  const set = source.current(Number.MAX_SAFE_INTEGER);
  t.match(set, { accessKeyId: "LTAI" });
  t.equal(set?.securityToken, undefined);
});

t.test("systemd's directory of credentials stands for its variable at a path's beginning only", async (t) => {
  const directory = t.testdir({ "oss.json": content(1) });
  const { source, serial } = fixture(t, "$CREDENTIALS_DIRECTORY/oss.json", { CREDENTIALS_DIRECTORY: directory });
  await source.start();
  t.equal(serial(), 1);
  t.throws(() => fileProvider({ path: "$CREDENTIALS_DIRECTORY/oss.json", env: {} }), /CREDENTIALS_DIRECTORY/);
  t.doesNotThrow(() => fileProvider({ path: "/a/$CREDENTIALS_DIRECTORY/oss.json", env: {} }));
});

t.test("what is no regular file is refused and never waited for", async (t) => {
  const directory = t.testdir({});
  const pipe = join(directory, "pipe");
  execFileSync("mkfifo", [pipe]);
  for (const path of [pipe, "/dev/zero", directory]) {
    const { source, messages } = fixture(t, path);
    await source.start();
    t.strictSame(messages, [`${path} is not a regular file`]);
  }
});

t.test("the poll notices what the kernel does not tell: a directory that was taken away and made again", async (t) => {
  const parent = t.testdir({ etc: { "oss.json": content(1) } });
  const directory = join(parent, "etc");
  const path = join(directory, "oss.json");
  const clock = new FakeClock();
  const seen = new EventEmitter();
  const provider = fileProvider({ path, env: {}, clock });
  const { signal } = new AbortController();
  t.equal(serialOf(await provider.fetch(signal)), 1);
  const end = provider.watch?.(() => seen.emit("change"));
  t.teardown(() => end?.());
  rmSync(directory, { recursive: true });
  mkdirSync(directory);
  writeFileSync(path, content(2));
  const changed = once(seen, "change");
  // The clock of the watch stands still: but for the poll nothing looks at the file.
  await clock.advance(15_000);
  await changed;
  t.equal(serialOf(await provider.fetch(signal)), 2);
  end?.();
  t.equal(clock.timerCount, 0);
});

t.test(
  "a thousand replacements: who looks never sees no set or a mixed one, and the last one is in use in the end",
  async (t) => {
    const path = join(t.testdir({ "oss.json": content(1) }), "oss.json");
    const { source, serial, until, messages } = fixture(t, path);
    await source.start();
    let looks = 0;
    for (let round = 2; round <= 1_000; round += 1) {
      replaceFile(path, content(round));
      // The loop goes round, so that the watch and its reads come in between.
      await new Promise((resolve) => setImmediate(resolve));
      if (serial() === null) t.fail(`no set in round ${round}`);
      looks += 1;
    }
    await until(() => serial() === 1_000);
    t.equal(looks, 999);
    t.strictSame(messages, []);
  },
);

t.test("a source that is not closed does not keep its process alive", async (t) => {
  const directory = t.testdir({ "oss.json": content(1) });
  const sources = new URL("../../src/credentials/", import.meta.url).href;
  const program = `
    import { fileProvider } from "${sources}file.ts";
    import { RefreshingSource } from "${sources}refreshing.ts";
    const provider = fileProvider({ path: ${JSON.stringify(join(directory, "oss.json"))}, env: {} });
    const events = { onRefreshed() {}, onRefreshFailed() {} };
    const source = new RefreshingSource({ name: "from-file", provider, events });
    await source.start();
    process.stdout.write(source.current(Date.now()).accessKeyId);`;
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, ["--import=tsx", "--input-type=module", "--eval", program]);
  t.equal(stdout, "STS.issued-id-1");
});
