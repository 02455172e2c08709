import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import bcrypt from "bcrypt";
import t from "tap";
import { PasswordCheck } from "../../../src/credentials/password-check.js";
import { PasswordFile, PasswordFiles } from "../../../src/credentials/password-file.js";
import type { Teardown } from "../../support/gateway.js";
import { FakeClock } from "./fake-clock.js";

const line = (name: string, password: string): string => `${name}:${bcrypt.hashSync(password, 4)}\n`;

async function directoryOf(t: Teardown): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "ossgate-passwords-"));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

const SILENT = { onRead: () => {}, onFailure: () => {} };

t.test("two routes with one file share it", async (t) => {
  const directory = await directoryOf(t);
  await writeFile(join(directory, "users"), line("anna", "x"));
  const files = new PasswordFiles(SILENT);
  const env = { CREDENTIALS_DIRECTORY: directory };
  const file = files.open("$CREDENTIALS_DIRECTORY/users", "routes[0]", env);
  t.equal(files.open(join(directory, "users"), "routes[1]", env), file);
  t.equal(await file.verify({ name: "anna", password: "x" }, ""), "right");
  t.equal(await file.verify({ name: "anna", password: "y" }, ""), "wrong");
});

t.test("what is no password file says so, and where the configuration names it", async (t) => {
  const directory = await directoryOf(t);
  const at = (name: string): string => join(directory, name);
  await writeFile(at("long"), "#".repeat(1024 * 1024 + 1));
  await writeFile(at("latin1"), Buffer.from(`j\xfcrgen:${bcrypt.hashSync("x", 4)}\n`, "latin1"));
  await writeFile(at("two"), `a:plain-secret\nb:plain-secret\n${line("c", "x")}`);
  execFileSync("mkfifo", [at("pipe")]);
  const files = new PasswordFiles(SILENT);
  const rows: readonly (readonly [name: string, message: RegExp])[] = [
    ["missing", /missing cannot be read \(ENOENT\)/],
    [".", /is not a regular file/],
    ["pipe", /is not a regular file/],
    ["long", /longer than 1 MiB/],
    ["latin1", /is not UTF-8 text/],
    ["two", /two:1: .*\n.*two:2: .*htpasswd -B/],
  ];
  for (const [name, message] of rows) {
    const open = () => files.open(at(name), "routes[3].allow.basic.file", {});
    t.throws(open, { message }, name);
    t.throws(open, { message: /^routes\[3\]\.allow\.basic\.file: / }, name);
    t.throws(open, { message: /^(?![\s\S]*plain-secret)/ }, name);
  }
  t.throws(() => files.open("$CREDENTIALS_DIRECTORY/x", "here", {}), { message: /CREDENTIALS_DIRECTORY/ });
});

t.test("a version that is no good is told of once, and the last good one stays until a better comes", async (t) => {
  const path = join(await directoryOf(t), "users");
  await writeFile(path, line("anna", "x"));
  const told: string[] = [];
  let wake = (): void => {};
  const hear = (text: string): void => {
    told.push(text);
    wake();
  };
  const clock = new FakeClock();
  const file = new PasswordFile({
    path,
    clock,
    check: new PasswordCheck(),
    events: { onRead: (_path, users) => hear(`read ${users}`), onFailure: (_path, cause) => hear(cause) },
  });
  t.teardown(() => file.close());
  const until = async (count: number): Promise<void> => {
    while (told.length < count) {
      const heard = new Promise<void>((resolve) => {
        wake = resolve;
      });
      await clock.advance(15_000);
      if (told.length < count) await Promise.race([heard, turn()]);
    }
  };
  await file.start();
  t.same(told, ["read 1"]);
  await writeFile(path, "anna:plain\n");
  await until(2);
  t.match(told[1], /users:1: /);
  for (let i = 0; i < 5; i += 1) {
    await clock.advance(15_000);
    await turn();
  }
  t.equal(told.length, 2);
  t.equal(await file.verify({ name: "anna", password: "x" }, ""), "right");
  await writeFile(path, line("anna", "y") + line("ben", "z"));
  await until(3);
  t.equal(told[2], "read 2");
  t.equal(await file.verify({ name: "anna", password: "x" }, ""), "wrong");
  t.equal(await file.verify({ name: "ben", password: "z" }, ""), "right");
  file.close();
  t.equal(clock.timerCount, 0, "nothing runs on");
});
