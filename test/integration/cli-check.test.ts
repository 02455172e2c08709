import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import t from "tap";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one of the commands as a process of its own, in `cwd`. */
function run(command: "check" | "schema", args: readonly string[], cwd = ROOT): Promise<Ran> {
  const file = new URL(`../../src/cli/${command}.ts`, import.meta.url).href;
  const script = `import { ${command} } from ${JSON.stringify(file)}; process.exitCode = await ${command}(process.argv.slice(1));`;
  const loader = import.meta.resolve("tsx");
  const node = ["--import", loader, "--input-type=module", "--eval", script, "--", ...args];
  return new Promise((resolve) => {
    execFile(process.execPath, node, { cwd }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

t.test("the example and the smallest file are good: exit 0 and one line each", async (t) => {
  const ran = await run("check", ["--syntax-only", "config/gateway.example.yaml", "config/gateway.minimal.yaml"]);
  t.strictSame(ran, {
    code: 0,
    stdout:
      "config/gateway.example.yaml: ok (8 routes, 2 buckets, 3 listeners)\n" +
      "config/gateway.minimal.yaml: ok (1 route, 1 bucket, 1 listener)\n",
    stderr: "",
  });
});

t.test("a bad file: exit 3, and every problem on a line of its own", async (t) => {
  const minimal = await readFile(`${ROOT}config/gateway.minimal.yaml`, "utf8");
  const dir = t.testdir({
    "bad.yaml": minimal.replace("web\n", "web\n    adress: x\n").replace("bucket: media", "bucket: med"),
  });
  const ran = await run("check", ["bad.yaml"], dir);
  t.equal(ran.code, 3);
  t.equal(ran.stdout, "");
  t.strictSame(ran.stderr.split("\n"), [
    'bad.yaml:4:5: listeners[0].adress: expected one of name, address, tls, proxyProtocol, found "adress". Did you mean address?',
    'bad.yaml:16:13: routes[0].bucket: expected the alias of a bucket, found "med". Did you mean media?',
    "",
  ]);
});

t.test("warnings do not fail a file", async (t) => {
  const minimal = await readFile(`${ROOT}config/gateway.minimal.yaml`, "utf8");
  const dir = t.testdir({
    "g.yaml": minimal.replace("routes:", "  spare: { bucket: spare, region: cn-beijing }\n\nroutes:"),
  });
  const ran = await run("check", ["g.yaml"], dir);
  t.equal(ran.code, 0);
  t.equal(ran.stdout, "g.yaml: ok (1 route, 2 buckets, 1 listener)\n");
  t.match(ran.stderr, /^g\.yaml:\d+:3: buckets\.spare: warning: expected a route to this bucket, found none\n$/);
});

t.test("a file that is not there: exit 1 and one line", async (t) => {
  const ran = await run("check", ["/does/not/exist.yaml"]);
  t.strictSame(ran, { code: 1, stdout: "", stderr: "/does/not/exist.yaml: cannot be read: there is no such file\n" });
});

t.test("a directory: exit 1 and one line", async (t) => {
  const ran = await run("check", ["config"]);
  t.strictSame(ran, { code: 1, stdout: "", stderr: "config: cannot be read: it is a directory\n" });
});

t.test("bytes that are not UTF-8 are bad configuration", async (t) => {
  const dir = t.testdir({});
  await writeFile(`${dir}/g.yaml`, Buffer.from([0x61, 0x3a, 0x20, 0xff]));
  const ran = await run("check", ["g.yaml"], dir);
  t.equal(ran.code, 3);
  t.match(ran.stderr, /^g\.yaml:1:1: \(yaml\): expected UTF-8 text, found other bytes/);
});

t.test("a good file does not hide a bad one, nor a missing file a bad one", async (t) => {
  const dir = t.testdir({ "bad.yaml": "" });
  t.equal((await run("check", ["bad.yaml", `${ROOT}config/gateway.minimal.yaml`], dir)).code, 3);
  t.equal((await run("check", ["bad.yaml", "missing.yaml"], dir)).code, 3);
});

t.test("no file and an unknown option are wrong usage: exit 2", async (t) => {
  t.equal((await run("check", [], t.testdir({}))).code, 2);
  t.match(await run("check", ["--strict", "x"]), { code: 2, stderr: /unknown option '--strict'/ });
  t.equal((await run("schema", ["--nothing"])).code, 2);
});

t.test("--help is no failure", async (t) => {
  t.match(await run("check", ["--help"]), { code: 0, stdout: /^Usage: ossgate check /, stderr: "" });
  t.match(await run("schema", ["--help"]), { code: 0, stdout: /^Usage: ossgate schema/, stderr: "" });
});

t.test("schema prints the JSON Schema that is in config/", async (t) => {
  const ran = await run("schema", []);
  t.equal(ran.stdout, await readFile(`${ROOT}config/gateway.schema.json`, "utf8"));
});

t.test("schema --write refreshes the schema and the section of the README, and nothing else of it", async (t) => {
  const readme = "# x\n<!-- config reference: begin -->\nold\n<!-- config reference: end -->\nrest\n";
  const dir = t.testdir({ config: {}, "README.md": readme });
  t.equal((await run("schema", ["--write"], dir)).code, 0);
  const { stdout: reference } = await run("schema", ["--reference"]);
  t.equal(
    await readFile(`${dir}/README.md`, "utf8"),
    readme.replace("old\n", () => reference),
  );
  t.equal((await run("schema", ["--write"], dir)).code, 0);
  t.equal(
    await readFile(`${dir}/README.md`, "utf8"),
    readme.replace("old\n", () => reference),
  );
});

t.test("schema --write says so when the README has no place for the reference", async (t) => {
  const dir = t.testdir({ config: {}, "README.md": "# x\n" });
  t.match(await run("schema", ["--write"], dir), { code: 1, stderr: /^README\.md: the lines .* are missing/ });
});
