import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { readSecret } from "../../../src/credentials/secret-ref.js";

const WHERE = "routes[2].allow.links.secret";
const SIXTEEN = "planted-16-bytes";

const files = t.testdir({});
let fileCount = 0;
const fromFile = (content: string | Buffer): string => {
  fileCount += 1;
  const path = join(files, `${fileCount}.secret`);
  writeFileSync(path, content);
  return path;
};

t.test("a secret from a variable and from a file", async (t) => {
  t.equal(readSecret({ kind: "env", name: "LINK_SECRET" }, WHERE, { LINK_SECRET: SIXTEEN }).reveal(), SIXTEEN);
  for (const [content, wanted] of [
    [SIXTEEN, SIXTEEN],
    [`${SIXTEEN}\n`, SIXTEEN],
    [`${SIXTEEN}\r\n`, SIXTEEN],
    [`${SIXTEEN}\n\n`, `${SIXTEEN}\n`],
    [`  ${SIXTEEN}  \n`, `  ${SIXTEEN}  `],
    ["密密密密密密\n", "密密密密密密"],
  ] as const) {
    t.equal(readSecret({ kind: "file", path: fromFile(content) }, WHERE).reveal(), wanted, JSON.stringify(content));
  }
});

t.test("systemd's directory of credentials stands for its variable", async (t) => {
  const directory = t.testdir({ link: SIXTEEN });
  const env = { CREDENTIALS_DIRECTORY: directory };
  for (const path of [`$${"CREDENTIALS_DIRECTORY"}/link`, `$${"{CREDENTIALS_DIRECTORY}"}/link`]) {
    t.equal(readSecret({ kind: "file", path }, WHERE, env).reveal(), SIXTEEN, path);
    t.throws(() => readSecret({ kind: "file", path }, WHERE, {}), /^routes\[2\].*CREDENTIALS_DIRECTORY, which/);
  }
});

t.test("what is no secret is refused in a sentence that names the place and the origin, never the value", async (t) => {
  const directory = t.testdir({});
  mkdirSync(join(directory, "dir"));
  const pipe = join(directory, "pipe");
  execFileSync("mkfifo", [pipe]);
  const cases = [
    [{ kind: "env", name: "LINK_SECRET" }, /the variable LINK_SECRET is not set/],
    [{ kind: "env", name: "EMPTY" }, /the variable EMPTY is not set/],
    [{ kind: "env", name: "SHORT" }, /the variable SHORT holds 15 bytes; a secret has at least 16/],
    [{ kind: "file", path: fromFile("planted-15-byte\n") }, /secret holds 15 bytes/],
    [{ kind: "file", path: fromFile("") }, /secret holds 0 bytes/],
    [{ kind: "file", path: join(directory, "none") }, /none cannot be read \(ENOENT\)/],
    [{ kind: "file", path: join(directory, "dir") }, /dir cannot be read \(NOT_A_FILE\)/],
    [{ kind: "file", path: pipe }, /pipe cannot be read \(NOT_A_FILE\)/],
    [{ kind: "file", path: "/dev/zero" }, /zero cannot be read \(NOT_A_FILE\)/],
    [{ kind: "file", path: fromFile(Buffer.alloc(70_000, "planted")) }, /is longer than 64 KiB/],
    [{ kind: "file", path: fromFile(Buffer.from("planted\xff\xfe in latin-1", "latin1")) }, /is not UTF-8 text/],
  ] as const;
  for (const [ref, message] of cases) {
    try {
      readSecret(ref, WHERE, { EMPTY: "", SHORT: "planted-15-byte" });
      t.fail(JSON.stringify(ref));
    } catch (error) {
      const text = (error as Error).message;
      t.match(text, message);
      t.ok(text.startsWith(`${WHERE}: `), text);
      t.notMatch(text, /planted/);
    }
  }
});
