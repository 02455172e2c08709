import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import t, { type Test } from "tap";
import { type AccessEntry, createAccessLog } from "../../src/telemetry/access-log.js";
import { openLog } from "../../src/telemetry/log.js";
import { Stats } from "../../src/telemetry/stats.js";

const ENTRY: AccessEntry = {
  requestId: "0123456789ABCDEF01234567",
  client: "192.0.2.7",
  host: "img.example.com",
  method: "GET",
  target: "/a.jpg",
  protocol: "HTTP/1.1",
  route: "files",
  status: 200,
  signature: "anonymous",
  receivedBytes: 0,
  sentBytes: 5,
  durationMs: 1.5,
};

const linesOf = (path: string): string[] => readFileSync(path, "utf8").split("\n").slice(0, -1);
const parse = (line: string) => JSON.parse(line) as Record<string, unknown>;

t.test("what several processes write at once is not mixed up", async (t) => {
  const WRITER = fileURLToPath(new URL("log-writer.ts", import.meta.url));
  const NAMES = ["a", "b", "c"];
  const LINES = 2_000;

  /** Writers that share their standard output. */
  async function write(t: Test, output: string, { redirect = "" } = {}): Promise<string> {
    const tsx = fileURLToPath(import.meta.resolve("tsx"));
    const command = `"${process.execPath}" --import "file://${tsx}" "${WRITER}" "${output}" ${LINES}`;
    const script = `{ ${NAMES.map((name) => `${command} ${name} &`).join(" ")} wait; } ${redirect}`;
    const child = spawn("sh", ["-c", script], { stdio: ["ignore", "pipe", "inherit"] });
    t.teardown(() => child.kill("SIGKILL"));
    const [printed] = await Promise.all([text(child.stdout), once(child, "close")]);
    return printed;
  }

  /** Every line parses, and no writer's lines are missing, doubled or out of order. */
  function checkLines(t: Test, lines: readonly string[]): void {
    const entries = lines.map((line) => JSON.parse(line) as AccessEntry);
    for (const name of NAMES) {
      const numbers = entries.filter(({ host }) => host === name).map(({ sentBytes }) => sentBytes);
      t.same(
        numbers,
        Array.from({ length: LINES }, (_, index) => index),
        name,
      );
    }
    t.equal(entries.length, NAMES.length * LINES);
  }

  await t.test("on a pipe, where long lines are cut to fit", async (t) => {
    const lines = (await write(t, "stdout", { redirect: "| cat" })).split("\n").slice(0, -1);
    checkLines(t, lines);
    const longest = Math.max(...lines.map(({ length }) => length));
    t.ok(longest < 4_096 && longest > 2_500);
  });

  await t.test("on a socket, with priorities", async (t) => {
    const lines = (await write(t, "journald")).split("\n").slice(0, -1);
    t.ok(lines.every((line) => line.startsWith("<6>{")));
    checkLines(
      t,
      lines.map((line) => line.slice(3)),
    );
  });

  await t.test("in a file that a shell has opened", async (t) => {
    const path = join(t.testdir(), "out.log");
    await write(t, "stdout", { redirect: `> "${path}"` });
    checkLines(t, linesOf(path));
  });

  await t.test("in a file that each opens, with all of long lines", async (t) => {
    const path = join(t.testdir(), "access.log");
    await write(t, path);
    checkLines(t, linesOf(path));
    t.ok(linesOf(path).some(({ length }) => length > 20_000));
  });
});

t.test("a file is appended to, and readable by its owner and group alone", async (t) => {
  const path = join(t.testdir(), "access.log");
  for (const target of ["/1", "/2"]) {
    const log = createAccessLog("json", new Stats(), { output: path });
    log.write({ ...ENTRY, target });
    await log.close();
  }
  t.same(
    linesOf(path).map((line) => parse(line).target),
    ["/1", "/2"],
  );
  t.equal(statSync(path).mode & 0o777 & ~process.umask(), 0o640 & ~process.umask());
});

t.test("a file that cannot be had is refused in one sentence, for both logs", async (t) => {
  const dir = t.testdir({ file: "", folder: {} });
  execFileSync("mkfifo", [join(dir, "pipe")]);
  const bad = ["missing/access.log", "file/access.log", "folder", "pipe"].map((path) => join(dir, path));
  for (const output of bad) {
    const message = new RegExp(`: cannot open ${output}: [a-z ,]+$`);
    t.throws(() => createAccessLog("json", new Stats(), { output }), { message });
    t.throws(() => openLog({ level: "info", output }), { message });
  }
  t.throws(() => createAccessLog("json", new Stats(), { output: bad[0] as string }), {
    message: /^log\.access\.output:/,
  });
  t.throws(() => openLog({ level: "info", output: bad[0] as string }), { message: /^log\.output:/ });
});

t.test("an access log that is off opens no file", async (t) => {
  const path = join(t.testdir(), "access.log");
  await createAccessLog("off", new Stats(), { output: path }).close();
  t.notOk(existsSync(path));
});

t.test("after reopen lines go to the new file, and none is lost or twice there", async (t) => {
  const dir = t.testdir();
  const path = join(dir, "access.log");
  const stats = new Stats();
  const log = createAccessLog("json", stats, { output: path });
  const program = openLog({ level: "info", output: join(dir, "error.log") });
  for (let round = 0; round < 20; round += 1) {
    for (let line = 0; line < 100; line += 1) log.write({ ...ENTRY, sentBytes: round * 100 + line });
    program.logger.info({ round }, "a message");
    renameSync(path, `${path}.${round}`);
    renameSync(join(dir, "error.log"), join(dir, `error.log.${round}`));
    log.reopen();
    program.reopen();
  }
  await Promise.all([log.close(), program.close()]);
  const of = (name: string): string[] =>
    readdirSync(dir)
      .filter((file) => file.startsWith(name))
      .flatMap((file) => linesOf(join(dir, file)));
  const numbers = of("access.log").map((line) => Number(parse(line).sentBytes));
  t.same(
    numbers.toSorted((a, b) => a - b),
    Array.from({ length: 2_000 }, (_, index) => index),
  );
  t.equal(of("error.log").length, 20);
  t.equal(stats.droppedLogLines, 0);
});

t.test("when the directory is gone at reopen, the old file is written on, and the log says so", async (t) => {
  const dir = t.testdir({ logs: {}, other: {} });
  const program = openLog({ level: "info", output: join(dir, "other", "error.log") });
  const log = createAccessLog("json", new Stats(), { output: join(dir, "logs", "access.log"), log: program.logger });
  const kept = openSync(join(dir, "logs", "access.log"), "r");
  rmSync(join(dir, "logs"), { recursive: true });
  log.reopen();
  log.write(ENTRY);
  await log.close();
  await program.close();
  t.equal(parse(readFileSync(kept, "utf8")).target, "/a.jpg");
  closeSync(kept);
  const [line = "{}"] = linesOf(join(dir, "other", "error.log"));
  t.match(parse(line), { level: 50, cause: /there is no such directory/ });
});

t.test(
  "on a full disk lines are dropped and counted, requests go on, and afterwards the log says how many",
  async (t) => {
    const dir = t.testdir();
    const path = join(dir, "access.log");
    const errors = join(dir, "error.log");
    const program = openLog({ level: "info", output: errors });
    const stats = new Stats();
    const log = createAccessLog("json", stats, { output: "/dev/full", log: program.logger });
    for (let line = 0; line < 1_000; line += 1) log.write(ENTRY);
    // A change of where the log goes is the way out that needs no waiting; what is in hand is still lost.
    const change = log.prepare({ format: "json", output: path });
    change.commit();
    for (let line = 0; line < 1_000; line += 1) log.write(ENTRY);
    await log.close();
    await program.close();
    t.ok(stats.droppedLogLines > 0);
    t.same([...stats.logLosses.lines], [0, stats.droppedLogLines, 0], "of LOSS_CAUSES: full");
    t.equal(linesOf(path).length + stats.droppedLogLines, 2_000);
    t.match(linesOf(errors).map(parse), [
      { level: 50, msg: /^the access log cannot be written/, output: "/dev/full", cause: /ENOSPC/, next: /^Make room/ },
      { level: 40, msg: "lines of the access log were lost", output: path, lines: stats.droppedLogLines },
    ]);
  },
);

/**
 * A file may grow no further, so that a write ends in the middle of a line, as on a disk that gets full; and then again.
 * Two logs write to it, as two workers do.
 */
const FULL_DISK = `
  import { execFileSync } from "node:child_process";
  import { readFileSync } from "node:fs";
  import { setImmediate } from "node:timers/promises";
  const [{ createAccessLog }, { Stats }, path] = [await import(process.argv[1]), await import(process.argv[2]), process.argv[3]];
  // Node ignores the signal that comes with the limit; the test runner's hooks end who has no listener.
  process.on("SIGXFSZ", () => {});
  const limit = (bytes) => execFileSync("prlimit", ["--pid", String(process.pid), "--fsize=" + bytes + ":"]);
  const [one, other] = [new Stats(), new Stats()];
  const [mine, theirs] = [one, other].map((stats) => createAccessLog("json", stats, { output: path }));
  const entry = JSON.parse(process.argv[4]);
  limit(8_000);
  for (let n = 0; n < 200; n += 1) mine.write({ ...entry, sentBytes: n });
  while (one.droppedLogLines === 0) await setImmediate();
  if (process.argv[5] === "another") {
    for (let n = 0; n < 200; n += 1) theirs.write({ ...entry, sentBytes: 1_000 + n });
    while (other.droppedLogLines === 0) await setImmediate();
  }
  limit("unlimited");
  if (process.argv[5] === "nobody") while (!readFileSync(path, "utf8").endsWith("\\n")) await setImmediate();
  else (process.argv[5] === "another" ? theirs : mine).write({ ...entry, sentBytes: 9_999 });
  await theirs.close();
  await mine.close();
  console.log(one.droppedLogLines + other.droppedLogLines, ...one.logLosses.lines);
`;

const needsPrlimit = spawnSync("prlimit", ["--version"]).status === 0 ? {} : { skip: "prlimit is not installed" };

for (const next of ["the same process", "another", "nobody"]) {
  t.test(`a line that a full disk cut off has nothing glued to it: next writes ${next}`, needsPrlimit, async (t) => {
    const path = join(t.testdir(), "access.log");
    const urls = ["access-log", "stats"].map((name) => new URL(`../../src/telemetry/${name}.ts`, import.meta.url).href);
    const tsx = fileURLToPath(import.meta.resolve("tsx"));
    const args = ["--import", `file://${tsx}`, "--input-type=module", "-e", FULL_DISK];
    const child = spawn(process.execPath, [...args, ...urls, path, JSON.stringify(ENTRY), next], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    t.teardown(() => child.kill("SIGKILL"));
    const [printed, [status]] = await Promise.all([text(child.stdout), once(child, "close")]);
    t.equal(status, 0);
    const [lost, behind, full] = printed.trim().split(" ").map(Number);
    const lines = readFileSync(path, "utf8").split("\n");
    t.equal(lines.pop(), "", "the file ends with a line's end");
    const isWhole = (line: string): boolean => line.startsWith("{") && line.endsWith("}");
    t.equal(lines.filter((line) => !isWhole(line)).length, 1, "one piece of a line, and no empty one");
    for (const line of lines.filter(isWhole)) parse(line);
    const written = (next === "another" ? 400 : 200) + (next === "nobody" ? 0 : 1);
    t.equal(lines.filter(isWhole).length + (lost ?? 0), written, "every line is there, or counted");
    t.equal(behind, 0);
    t.ok((full ?? 0) > 0);
    if (next !== "nobody") t.ok(lines.some((line) => line.includes('"sentBytes":9999')));
  });
}

t.test("what was lost up to the end is said at the end", async (t) => {
  const errors = join(t.testdir(), "error.log");
  const program = openLog({ level: "info", output: errors });
  const stats = new Stats();
  const log = createAccessLog("json", stats, { output: "/dev/full", log: program.logger });
  for (let line = 0; line < 10; line += 1) log.write(ENTRY);
  await log.close();
  await program.close();
  t.equal(stats.droppedLogLines, 10);
  t.match(linesOf(errors).map(parse), [
    { cause: /ENOSPC/, output: "/dev/full" },
    { lines: 10, output: "/dev/full" },
  ]);
});

t.test("the program's own log says of itself that lines were lost", async (t) => {
  const path = join(t.testdir(), "error.log");
  let dropped = 0;
  const program = openLog({ level: "info", output: "/dev/full" }, (lines) => {
    dropped += lines;
  });
  for (let line = 0; line < 10; line += 1) program.logger.info("nobody reads this");
  program.prepare({ level: "warn", output: path }).commit();
  program.logger.info("below the new level");
  program.logger.warn("somebody reads this");
  await program.close();
  t.equal(dropped, 10);
  t.match(linesOf(path).map(parse), [
    { msg: "somebody reads this" },
    { msg: "lines of this log were lost", lines: 10, output: path },
  ]);
});

t.test("leaving a pipe that nobody reads takes along what waits for it", async (t) => {
  const dir = t.testdir();
  const pipe = join(dir, "pipe");
  execFileSync("mkfifo", [pipe]);
  const fd = openSync(pipe, constants.O_RDWR);
  const path = join(dir, "access.log");
  const stats = new Stats();
  const log = createAccessLog("json", stats, { output: pipe });
  for (let line = 0; line < 2_000; line += 1) log.write(ENTRY);
  log.prepare({ format: "json", output: path }).commit();
  log.write({ ...ENTRY, target: "/last" });
  await log.close();
  const piece = Buffer.alloc(1024 * 1024);
  const piped = piece.toString("latin1", 0, readSync(fd, piece)).split("\n").slice(0, -1);
  closeSync(fd);
  t.ok(piped.length > 0);
  t.equal(piped.length + linesOf(path).length, 2_001);
  t.equal(parse(linesOf(path).at(-1) as string).target, "/last");
  t.equal(stats.droppedLogLines, 0);
});

t.test("a change that is not made leaves the log where it was, and no file open", async (t) => {
  const dir = t.testdir();
  const log = createAccessLog("json", new Stats(), { output: join(dir, "a.log") });
  t.throws(() => log.prepare({ format: "json", output: join(dir, "missing", "b.log") }));
  const open = readdirSync("/proc/self/fd").length;
  log.prepare({ format: "combined", output: join(dir, "b.log") }).abort();
  t.equal(readdirSync("/proc/self/fd").length, open);
  log.write(ENTRY);
  await log.close();
  t.equal(parse(linesOf(join(dir, "a.log"))[0] as string).target, "/a.jpg");
  t.equal(readFileSync(join(dir, "b.log"), "utf8"), "");
});

t.test("format and place can change between two lines", async (t) => {
  const dir = t.testdir();
  const log = createAccessLog("json", new Stats(), { output: join(dir, "a.log") });
  log.write(ENTRY);
  log.prepare({ format: "combined", output: join(dir, "b.log") }).commit();
  log.write(ENTRY);
  log.prepare({ format: "off", output: join(dir, "b.log") }).commit();
  log.write(ENTRY);
  await log.close();
  t.equal(linesOf(join(dir, "a.log")).length, 1);
  t.match(linesOf(join(dir, "b.log")), [/^192\.0\.2\.7 - - \[.*\] "GET \/a\.jpg HTTP\/1\.1" 200 5 "-" "-"$/]);
});

t.test("journald gets each line of the program's log with its priority", async (t) => {
  const script = `
    import { openLog } from ${JSON.stringify(new URL("../../src/telemetry/log.ts", import.meta.url).href)};
    const { logger, close } = openLog({ level: "debug", output: "journald" });
    for (const level of ["debug", "info", "warn", "error", "fatal"]) logger[level]("x".repeat(10_000));
    await close();`;
  const tsx = fileURLToPath(import.meta.resolve("tsx"));
  const args = ["--import", `file://${tsx}`, "--input-type=module", "-e", script];
  const { stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  const lines = stderr.split("\n").slice(0, -1);
  t.same(
    lines.map((line) => line.slice(0, 4)),
    ["<7>{", "<6>{", "<4>{", "<3>{", "<2>{"],
  );
  for (const line of lines) t.match(parse(line.slice(3)), { msg: /^x{1024}…$/ });
});

t.test("a reader that hangs delays neither the lines of others nor the end of the program", async (t) => {
  const dir = t.testdir();
  const pipe = join(dir, "pipe");
  execFileSync("mkfifo", [pipe]);
  // Opened for both: nobody ever reads, and opening waits for nobody.
  const fd = openSync(pipe, constants.O_RDWR);
  t.teardown(() => closeSync(fd));
  const script = `
    import { lookup } from "node:dns/promises";
    import { createAccessLog } from ${JSON.stringify(new URL("../../src/telemetry/access-log.ts", import.meta.url).href)};
    import { openLog } from ${JSON.stringify(new URL("../../src/telemetry/log.ts", import.meta.url).href)};
    const stats = { logLosses: { count() {} } };
    const { logger } = openLog({ level: "info", output: "stderr" });
    const log = createAccessLog("json", stats, {});
    for (let n = 0; n < 5_000; n += 1) {
      log.write({ ...${JSON.stringify(ENTRY)}, sentBytes: n });
      logger.info({ n }, "a message");
    }
    // All of Node's threads are free for others.
    await Promise.all([1, 2, 3, 4].map(() => lookup("127.0.0.1")));
    process.exit(7);`;
  const tsx = fileURLToPath(import.meta.resolve("tsx"));
  const args = ["--import", `file://${tsx}`, "--input-type=module", "-e", script];
  const child = spawn(process.execPath, args, { stdio: ["ignore", fd, fd] });
  t.teardown(() => child.kill("SIGKILL"));
  t.same(await once(child, "close"), [7, null]);
  const piece = Buffer.alloc(1024 * 1024);
  const read = readSync(fd, piece);
  const lines = piece.toString("utf8", 0, read).split("\n").slice(0, -1);
  t.ok(lines.length > 100);
  for (const line of lines) t.doesNotThrow(() => parse(line)) || t.bailout(line);
});

const SNIPPET = fileURLToPath(new URL("../../systemd/package/logrotate", import.meta.url));
const needsLogrotate =
  process.env.OSSGATE_REQUIRE_PEERS === "1" || spawnSync("logrotate", ["--version"]).status === 0
    ? {}
    : { skip: "logrotate is not installed" };

t.test(
  "logrotate takes our snippet and gives files away under their name, not by copying",
  needsLogrotate,
  async (t) => {
    const dir = t.testdir({ "access.log": "one line\n", state: "" });
    const path = join(dir, "access.log");
    const marker = join(dir, "signalled");
    // The real snippet on other files; instead of systemd, which does not run here, a file is touched.
    const snippet = readFileSync(SNIPPET, "utf8")
      .replace("/var/log/ossgate/*.log", path)
      .replace(/^(\s*)systemctl .*$/m, `$1touch ${marker}`);
    const config = join(dir, "logrotate.conf");
    writeFileSync(config, snippet, { mode: 0o644 });
    mkdirSync(join(dir, "empty"));
    const before = statSync(path).ino;
    const { status, stderr } = spawnSync("logrotate", ["--force", "--state", join(dir, "state"), config], {
      encoding: "utf8",
    });
    t.equal(status, 0, stderr);
    t.ok(existsSync(marker));
    t.equal(statSync(`${path}.1`).ino, before);
    t.notOk(existsSync(path), "the program makes it");
  },
);
