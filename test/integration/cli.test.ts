import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import t, { type Test as Tap } from "tap";
import { readFresh } from "../../src/process/served-config.js";
import { type Ended, runProgram, startProgram } from "./cli-program.js";

const COMMANDS = [
  ...["run", "check", "reload", "upgrade", "explain", "doctor", "sign", "demo", "schema"],
  ...["import-nginx", "import-cors", "import-referer"],
];

const configOf = (listen: string, admin = "127.0.0.1:0"): string => `
listeners: [{ name: web, address: "${listen}" }]
admin: { address: "${admin}" }
buckets:
  media: { bucket: examplebucket, region: cn-hangzhou, endpoint: "http://127.0.0.1:9", dns: { addresses: [127.0.0.1] } }
routes:
  - { name: files, match: { hosts: [127.0.0.1] }, bucket: media }
`;

async function writeConfig(t: Tap, text: string): Promise<string> {
  const file = join(t.testdir({}), "gateway.yaml");
  await writeFile(file, text);
  return file;
}

/** What any output must be for somebody who reads it in a terminal. */
function isReadable(t: Tap, { stdout, stderr }: Ended): void {
  const text = stdout + stderr;
  t.notMatch(text, /^\s+at /m, "no stack trace");
  t.notMatch(text, /node:internal|\[object |undefined|NaN/);
  t.strictSame(
    text.split("\n").filter((line) => line.length > 120),
    [],
    "no line is wider than 120 columns",
  );
}

/** Lines that a terminal would break. */
const tooWide = (text: string): string[] => text.split("\n").filter((line) => line.length > 80);

/** Standard error without the log's JSON. */
const linesForPeople = (stderr: string): string[] =>
  stderr.split("\n").filter((line) => line !== "" && !line.startsWith("{"));

t.test("--help of the program names every command, and goes to standard output", async (t) => {
  for (const flag of ["--help", "-h", "help"]) {
    const ended = await runProgram(t, [flag]);
    t.match(ended, { code: 0, stderr: "" });
    for (const command of COMMANDS) t.match(ended.stdout, new RegExp(`^  ossgate ${command}\\b`, "m"));
    t.strictSame(tooWide(ended.stdout), []);
    isReadable(t, ended);
  }
});

t.test("--help of every command says how it is used, in 80 columns", async (t) => {
  for (const command of COMMANDS) {
    const ended = await runProgram(t, [command, command === "run" ? "-h" : "--help"]);
    t.match(ended, { code: 0, stderr: "" }, command);
    t.match(ended.stdout, new RegExp(`^Usage: ossgate ${command}\\b`));
    t.strictSame(tooWide(ended.stdout), []);
    isReadable(t, ended);
  }
});

t.test("--version is the package's version", async (t) => {
  const text = await readFile(new URL("../../package.json", import.meta.url), "utf8");
  const { version } = JSON.parse(text) as { version: string };
  for (const flag of ["version", "--version", "-v"]) {
    t.match(await runProgram(t, [flag]), { code: 0, stdout: `ossgate ${version}\n`, stderr: "" });
  }
});

t.test("no command is wrong usage with the help on standard error", async (t) => {
  const ended = await runProgram(t, []);
  t.match(ended, { code: 2, stdout: "", stderr: /^Usage:/m });
  isReadable(t, ended);
});

t.test("a command that there is not is answered with one line, and the nearest name", async (t) => {
  for (const [name, hint] of [
    ["relaod", "Did you mean 'ossgate reload'?"],
    ["import-ngnix", "Did you mean 'ossgate import-nginx'?"],
    ["serve-everything", "'ossgate help' lists them."],
    ["--config", "Options stand behind the command: ossgate run --config FILE."],
    ["a\u001b[31m", "'ossgate help' lists them."],
  ] as const) {
    const { code, stdout, stderr } = await runProgram(t, [name, "x"]);
    t.same([code, stdout], [2, ""], name);
    t.match(stderr, /^ossgate: there is no command '[^\p{Cc}]*'\. [^\n]+\n$/u);
    t.ok(stderr.endsWith(`${hint}\n`), stderr);
  }
});

t.test("help COMMAND is the command's help", async (t) => {
  t.match(await runProgram(t, ["help", "reload"]), { code: 0, stdout: /^Usage: ossgate reload/, stderr: "" });
  t.match(await runProgram(t, ["help", "relaod"]), { code: 2, stdout: "", stderr: /ossgate reload/ });
});

t.test("wrong options of run are wrong usage", async (t) => {
  for (const args of [["--config"], ["--nope"], ["gateway.yaml"]]) {
    const ended = await runProgram(t, ["run", ...args]);
    t.match(ended, { code: 2, stdout: "" }, args.join(" "));
    t.match(ended.stderr, /^ossgate run: .+\n\nUsage: ossgate run \[--config FILE\]\n/);
    isReadable(t, ended);
  }
});

t.test("where no configuration is named it is ./gateway.yaml", async (t) => {
  const cwd = t.testdir({ "gateway.yaml": "listeners: [" });
  for (const args of [["run"], ["check"], ["doctor"], ["sign", "http://127.0.0.1/x"]]) {
    t.match(await runProgram(t, args, { cwd }), { code: 3, stdout: "", stderr: /^gateway\.yaml:1:/ }, args.join(" "));
  }
});

t.test("an option that there is not is named, without advice that does not help", async (t) => {
  for (const command of ["run", "check", "sign", "schema"]) {
    const ended = await runProgram(t, [command, "--expres", "1h"]);
    t.match(ended, { code: 2, stdout: "" }, command);
    const [first, second, third] = ended.stderr.split("\n");
    t.strictSame([first, second], [`ossgate ${command}: unknown option '--expres'`, ""]);
    t.match(third, new RegExp(`^Usage: ossgate ${command}\\b`));
  }
  const { stderr } = await runProgram(t, ["run", "--config", "--nope"]);
  t.match(stderr, /^ossgate run: [^\n]*--config[^\n]*\n\nUsage/);
});

t.test("run refuses a bad configuration with a line for each problem, and listens nowhere", async (t) => {
  const bad = configOf("127.0.0.1:0")
    .replace("region: cn-hangzhou", "regoin: cn-hangzhou")
    .replace("bucket: media }", "bucket: meda }");
  const file = await writeConfig(t, bad);
  const ended = await runProgram(t, ["run", "--config", file]);
  t.match(ended, { code: 3, stdout: "" });
  const lines = ended.stderr.trimEnd().split("\n");
  t.ok(lines.length >= 2);
  for (const line of lines) {
    t.ok(line.startsWith(`${file}:`));
    t.match(line.slice(file.length), /^:\d+:\d+: \S+: (?:warning: )?expected .*found /);
  }
  t.match(ended.stderr, /gateway\.yaml:5:35: .*region/, "with the line and the column of the misspelt key");
  t.match(ended.stderr, /gateway\.yaml:7:\d+: .*"meda"/, "and those of the bucket that is not there");
  t.notMatch(ended.stderr, /^\s+at /m);
});

t.test("run says so when its file cannot be read, and ends with what is not tried again", async (t) => {
  const directory = t.testdir({});
  for (const [file, why] of [
    [join(directory, "missing.yaml"), "there is no such file"],
    [directory, "it is a directory"],
  ] as const) {
    const ended = await runProgram(t, ["run", "-c", file]);
    t.match(ended, { code: 3, stdout: "", stderr: `ossgate run: cannot read ${file}: ${why}\n` });
  }
});

t.test("a configuration that is not UTF-8 is served by nobody: it would be read as another one", async (t) => {
  const directory = t.testdir();
  const file = join(directory, "gateway.yaml");
  await writeFile(file, Buffer.from(`${configOf("127.0.0.1:0")}# caf\u00e9\n`, "latin1"));
  const said = `${file}:1:1: (yaml): expected UTF-8 text, found other bytes. Save the file as UTF-8.`;
  for (const command of ["run", "doctor"]) {
    t.match(await runProgram(t, [command, "-c", file]), { code: 3, stdout: "", stderr: `${said}\n` });
  }
  t.match(await readFresh(file), { config: null, problems: [said] }, "a reload");
});

t.test("run says in one line that a port is in use, the listener's or admin's, and ends with 1", async (t) => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  t.teardown(() => other.close());
  const taken = `127.0.0.1:${(other.address() as AddressInfo).port}`;
  for (const [what, text] of [
    ["listener web", configOf(taken)],
    ["admin", configOf("127.0.0.1:0", taken)],
  ] as const) {
    const ended = await runProgram(t, ["run", "--config", await writeConfig(t, text)]);
    t.match(ended, { code: 1, stdout: "" });
    t.strictSame(linesForPeople(ended.stderr), [
      `ossgate: ${what}: cannot listen on ${taken}: another program listens there already; stop it or choose another port`,
    ]);
  }
});

t.test("run says in one line that an address is not this machine's", async (t) => {
  // TEST-NET-1 (RFC 5737): no machine has it.
  const ended = await runProgram(t, ["run", "--config", await writeConfig(t, configOf("192.0.2.1:0"))]);
  t.match(ended, { code: 1, stdout: "" });
  t.strictSame(linesForPeople(ended.stderr), [
    "ossgate: listener web: cannot listen on 192.0.2.1:0: this machine has no such address",
  ]);
});

t.test("run serves, tells where on standard error, and ends with 0 when it is told to", async (t) => {
  const file = await writeConfig(t, configOf("127.0.0.1:0"));
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const program = startProgram(t, ["run", "--config", file]);
    const text = await program.complained(/ossgate serves.*\n/);
    const [line = ""] = text.split("\n").filter((candidate) => candidate.includes("ossgate serves"));
    const { listeners } = JSON.parse(line) as { listeners: readonly { readonly port: number }[] };
    const response = await fetch(`http://127.0.0.1:${listeners[0]?.port}/x`);
    t.equal(response.status, 502, "nothing listens behind it");
    program.kill(signal);
    const { code, stdout } = await program.ended;
    t.equal(code, 0, signal);
    const entries = stdout.trimEnd().split("\n");
    t.equal(entries.length, 1, "one line of the access log is all that standard output has");
    t.match(JSON.parse(entries[0] ?? ""), { target: "/x", status: 502, error: "UPSTREAM_REFUSED" });
  }
});

t.test("run starts although the name of the endpoint cannot be looked up", async (t) => {
  const text = configOf("127.0.0.1:0")
    .replace("http://127.0.0.1:9", "http://nowhere.invalid")
    .replace(", dns: { addresses: [127.0.0.1] }", "");
  const program = startProgram(t, ["run", "--config", await writeConfig(t, text)]);
  t.match(await program.complained(/ossgate serves.*\n/), /ossgate serves/);
  program.kill("SIGTERM");
  t.equal((await program.ended).code, 0);
});
