import { execFile, spawnSync } from "node:child_process";
import { once } from "node:events";
import { request } from "node:http";
import t from "tap";
import { startProgram } from "./cli-program.js";

const HAS_CURL = spawnSync("curl", ["--version"]).status === 0;
const NEEDS_CURL = HAS_CURL ? {} : { skip: "curl is not installed (apt-get install curl)" };

const FREE_PORTS = ["--listen", "127.0.0.1:0", "--emulator", "127.0.0.1:0", "--admin", "127.0.0.1:0"];

/** What the line under each heading is expected to answer, in the order in which they are printed. */
interface Expected {
  readonly line: RegExp;
  readonly status?: number;
  readonly body: RegExp | string;
}

const EXPECTED: readonly Expected[] = [
  { line: /^curl -i http\S+\/hello\.txt$/, status: 200, body: "Hello from a bucket behind ossgate.\n" },
  { line: /\/%E5%9B%BE%E7%89%87\/%E7%85%A7%E7%89%87%201\.txt$/, status: 200, body: "一把带空格的钥匙。\n" },
  { line: /http:\/\/demo\.localhost:\d+\/hello\.txt$/, status: 200, body: "Hello from a bucket behind ossgate.\n" },
  { line: /-r 0-15 .*\/big\.bin$/, status: 206, body: "ossgate ossgate " },
  { line: /\/private\/report\.txt$/, status: 403, body: /<Code>AccessDenied<\/Code>/ },
  { line: /\/private\/report\.txt\?.*&Signature=/, status: 200, body: "Only a signed request reads this.\n" },
  { line: /\/private\/report\.txt\?.*&x-oss-signature=/, status: 200, body: "Only a signed request reads this.\n" },
  { line: /^echo .* \| curl -i -T - .*\/upload\.txt\?/, status: 200, body: "" },
  { line: /\/upload\.txt$/, status: 200, body: "Written through ossgate.\n" },
  { line: /http:\/\/sdk\.localhost:\d+\/ossgate-demo\/hello\.txt$/, status: 200, body: /^Hello from a bucket/ },
  { line: /\/ossgate-demo-archive\/hello\.txt\?/, status: 200, body: "Hello from the private archive.\n" },
  { line: /http:\/\/links\.localhost:\d+\/hello\.txt$/, status: 403, body: /LINK_REQUIRED/ },
  { line: /\/hello\.txt\?ossgate-expires=/, status: 200, body: "Hello from the private archive.\n" },
  { line: /\/metrics \| grep/, body: /^ossgate_requests_total\{.*route="by-address".*\} \d+$/m },
];

function runPasted(line: string): Promise<{ readonly code: number; readonly output: string }> {
  return new Promise((resolve) => {
    execFile("bash", ["-c", line], (error, output) =>
      resolve({ code: error === null ? 0 : Number(error.code), output }),
    );
  });
}

/** The last head and the body of what `curl -i` prints; a 100 comes before it. */
function takeApart(output: string): { readonly status: number; readonly body: string } {
  const rest = output.replace(/^(?:HTTP\/1\.1 1\d\d [^\r]*\r\n(?:[^\r]+\r\n)*\r\n)+/, "");
  const end = rest.indexOf("\r\n\r\n");
  return { status: Number(rest.split(" ")[1]), body: rest.slice(end + 4) };
}

/** The lines that one can paste, without their indentation. */
const pastable = (text: string): string[] =>
  text
    .split("\n")
    .filter((line) => line.startsWith("  ") && line.includes("curl "))
    .map((line) => line.trim());

t.test("every curl line that the demo prints answers what the demo says", NEEDS_CURL, async (t) => {
  const demo = startProgram(t, ["demo", ...FREE_PORTS]);
  const lines = pastable(await demo.printed(/Numbers[\s\S]*\n\n/));
  t.equal(lines.length, EXPECTED.length, "and no line is left out here");
  for (const [index, { line, status, body }] of EXPECTED.entries()) {
    const pasted = lines[index] ?? "";
    t.match(pasted, line);
    const { code, output } = await runPasted(pasted);
    t.equal(code, 0, pasted.slice(0, 80));
    const answer = status === undefined ? { status, body: output } : takeApart(output);
    t.equal(answer.status, status);
    if (typeof body === "string") t.equal(answer.body, body);
    else t.match(answer.body, body);
  }
});

t.test("the demo's page and its image are shown, not downloaded", async (t) => {
  const demo = startProgram(t, ["demo", ...FREE_PORTS]);
  const text = await demo.printed(/index\.html/);
  const port = Number(/http:\/\/demo\.localhost:(\d+)\/index\.html/.exec(text)?.[1]);
  const page = await getByName(port, "/index.html");
  t.equal(page.headers["content-type"], "text/html; charset=utf-8");
  const image = /<img src="([^"]+)"/.exec(page.body.toString())?.[1];
  const { headers, body } = await getByName(port, `/${image}`);
  t.equal(headers["content-type"], "image/png");
  t.equal(body.subarray(1, 4).toString(), "PNG");
  for (const answer of [page.headers, headers]) {
    t.equal(answer["content-disposition"], undefined);
    t.equal(answer["x-oss-force-download"], undefined);
  }
});

/** What a browser gets: it knows itself that `*.localhost` is this machine, Node does not. */
async function getByName(port: number, path: string) {
  const req = request({ host: "127.0.0.1", port, path, headers: { Host: `demo.localhost:${port}` } });
  req.end();
  const [res] = await once(req, "response");
  return { headers: res.headers as Record<string, string | undefined>, body: Buffer.concat(await res.toArray()) };
}

t.test("the demo ends with status 0 on SIGINT and on SIGTERM", async (t) => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    const demo = startProgram(t, ["demo", ...FREE_PORTS]);
    await demo.printed(/Numbers/);
    demo.kill(signal);
    const { code, stderr } = await demo.ended;
    t.equal(code, 0, signal);
    t.equal(stderr, "");
  }
});

t.test("the demo's text fits a terminal but for presigned URLs", async (t) => {
  const demo = startProgram(t, ["demo", ...FREE_PORTS]);
  const lines = (await demo.printed(/Numbers[\s\S]*\n\n/)).split("\n");
  t.strictSame(
    lines.filter((line) => line.length > 120 && !/signature=/i.test(line)),
    [],
  );
});

t.test("the demo prints the access log when it is asked to", async (t) => {
  const demo = startProgram(t, ["demo", "--access-log", ...FREE_PORTS]);
  const text = await demo.printed(/Numbers/);
  const url = /ossgate serves (\S+?),/.exec(text)?.[1];
  t.equal((await fetch(`${url}/hello.txt`)).status, 200);
  const line = /^\{.*"target":"\/hello\.txt".*\}$/m;
  const [entry] = line.exec(await demo.printed(line)) ?? [""];
  t.match(JSON.parse(entry), { route: "by-address", status: 200 });
});

t.test("a port of the demo that is in use ends it with one clear line", async (t) => {
  const first = startProgram(t, ["demo", ...FREE_PORTS]);
  const text = await first.printed(/Numbers[\s\S]*\n\n/);
  const [listen, emulator] = /serves http:\/\/(\S+), .* at http:\/\/(\S+)\.\n/.exec(text)?.slice(1) ?? [];
  const admin = /http:\/\/(\S+)\/metrics/.exec(text)?.[1];
  for (const [flag, address] of [
    ["--listen", listen],
    ["--emulator", emulator],
    ["--admin", admin],
  ]) {
    const { code, stdout, stderr } = await startProgram(t, ["demo", ...FREE_PORTS, String(flag), String(address)])
      .ended;
    t.equal(code, 1);
    t.equal(stdout, "");
    t.match(stderr, new RegExp(`^ossgate: [^\\n]*cannot listen on ${address}: another program[^\\n]*\\n$`));
  }
});

t.test("an address of the demo that is none is wrong usage", async (t) => {
  for (const args of [["--listen", "8080"], ["--emulator", "localhost:9090"], ["--admin", "127.0.0.1:99999"], ["x"]]) {
    const { code, stdout, stderr } = await startProgram(t, ["demo", ...FREE_PORTS, ...args]).ended;
    t.equal(code, 2);
    t.equal(stdout, "");
    t.match(stderr, /^ossgate demo: .*\n\nUsage: ossgate demo /);
    t.ok(stderr.includes(args.at(-1) ?? ""), "with what was found");
  }
});
