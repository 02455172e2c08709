import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import t, { type Test as Tap } from "tap";
import { type Converted, convertDocument } from "../../src/cli/import-command.js";
import { CORS_IMPORT } from "../../src/cli/import-cors.js";
import { REFERER_IMPORT } from "../../src/cli/import-referer.js";
import type { CorsConfig, RefererConfig, RouteConfig } from "../../src/config/gateway-config.js";
import { readConfig } from "../../src/config/read-config.js";
import { createEmulator } from "../../src/emulator/index.js";
import { compileOssReferer } from "../../src/policy/referer.js";
import { BUCKET, DEFAULT_HOST, NOW_MS, OWNER, send, signed } from "../unit/emulator/wire.js";
import { runProgram } from "./cli-program.js";

const CLI = fileURLToPath(new URL("../../src/cli.ts", import.meta.url));

interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const COMMANDS = { "import-cors": CORS_IMPORT, "import-referer": REFERER_IMPORT } as const;
type Command = keyof typeof COMMANDS;

/** What becomes of a document. */
function convert(command: Command, document: string | Buffer): Converted {
  return convertDocument(COMMANDS[command], Buffer.from(document));
}

/** The YAML of a document that is good. */
function yamlOf(t: Tap, command: Command, document: string | Buffer): string {
  const converted = convert(command, document);
  if ("yaml" in converted) return converted.yaml;
  t.fail(converted.problem);
  return "";
}

/** The command as a process, with a document on its standard input. */
async function pipe(command: Command, document: string): Promise<Ran> {
  const child = spawn(process.execPath, ["--import", import.meta.resolve("tsx"), CLI, command, "-"]);
  const closed = new Promise<number | null>((resolve) => child.on("close", resolve));
  // The program may stop to read before all of it is written.
  child.stdin.on("error", () => {});
  child.stdin.end(document);
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: await closed, stdout, stderr };
}

/** The route of the smallest configuration with what was printed put at its end. */
async function routeWith(t: Tap, printed: string): Promise<RouteConfig | undefined> {
  const minimal = await readFile(new URL("../../config/gateway.minimal.yaml", import.meta.url), "utf8");
  const result = readConfig(`${minimal.trimEnd()}\n${printed}`, "gateway.yaml");
  if (!result.ok) t.fail("the configuration takes it", { found: result.problems, printed });
  return result.ok ? result.config.routes[0] : undefined;
}

const CORS = `\ufeff<?xml version="1.0" encoding="UTF-8"?>
<CORSConfiguration xmlns="http://doc.oss-cn-hangzhou.aliyuncs.com">
  <!-- the site -->
  <CORSRule>
    <AllowedOrigin>https://a.com</AllowedOrigin>
    <AllowedOrigin>http://&#42;.b.com</AllowedOrigin>
    <AllowedOrigin>https://c.com/</AllowedOrigin>
    <AllowedMethod>GET</AllowedMethod><AllowedMethod>HEAD</AllowedMethod>
    <AllowedHeader><![CDATA[x-oss-*]]></AllowedHeader>
    <ExposeHeader>ETag</ExposeHeader><ExposeHeader>x-oss-request-id</ExposeHeader>
    <MaxAgeSeconds>600</MaxAgeSeconds>
  </CORSRule>
  <CORSRule><AllowedOrigin>a.com</AllowedOrigin><AllowedMethod>PUT</AllowedMethod></CORSRule>
  <CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod><MaxAgeSeconds>99999999</MaxAgeSeconds></CORSRule>
  <CORSRule><AllowedOrigin>null</AllowedOrigin><AllowedMethod>POST</AllowedMethod><AllowedHeader>*</AllowedHeader></CORSRule>
  <ResponseVary>true</ResponseVary>
</CORSConfiguration>`;

const IMPORTED_CORS: CorsConfig = {
  rules: [
    {
      allowedOrigins: ["https://a.com", "http://*.b.com"],
      allowedMethods: ["GET", "HEAD"],
      allowedHeaders: ["x-oss-*"],
      exposeHeaders: ["ETag", "x-oss-request-id"],
      maxAgeSeconds: 600,
    },
    { allowedOrigins: ["*"], allowedMethods: ["GET"], allowedHeaders: [], exposeHeaders: [], maxAgeSeconds: 86_400 },
    {
      allowedOrigins: ["null"],
      allowedMethods: ["POST"],
      allowedHeaders: ["*"],
      exposeHeaders: [],
      maxAgeSeconds: null,
    },
  ],
  allowCredentials: false,
  allowPrivateNetwork: false,
  responseVary: true,
};

t.test("CORS rules become a route's, and what no browser sends is named in a comment", async (t) => {
  const yaml = yamlOf(t, "import-cors", CORS);
  t.strictSame((await routeWith(t, yaml))?.cors, IMPORTED_CORS);
  const comments = yaml.match(/# .*/g)?.join("\n") ?? "";
  for (const said of ['Left out: "https://c.com/"', "Rule 2 is left out", '"a.com"', "99999999 s at OSS"]) {
    t.match(comments, said);
  }
});

const REFERER = `<?xml version="1.0" encoding="UTF-8"?>
<RefererConfiguration>
  <AllowEmptyReferer>false</AllowEmptyReferer>
  <AllowTruncateQueryString>false</AllowTruncateQueryString>
  <TruncatePath>true</TruncatePath>
  <RefererList>
    <Referer>http://www.aliyun.com</Referer>
    <Referer>https://www.?.aliyuncs.com</Referer>
    <Referer>*.a.com/x?y=1&amp;copy;</Referer>
    <Referer>http://例子.com</Referer>
  </RefererList>
  <RefererBlacklist><Referer>www.bad.com # "'</Referer><Referer>www.bad.com</Referer></RefererBlacklist>
</RefererConfiguration>`;

t.test("Referer rules become a route's, that compare as OSS does and say what strict would do", async (t) => {
  const yaml = yamlOf(t, "import-referer", REFERER);
  const expected: RefererConfig = {
    mode: "enforce",
    rules: {
      kind: "oss",
      allowEmptyReferer: false,
      refererList: ["http://www.aliyun.com", "https://www.?.aliyuncs.com", "*.a.com/x?y=1&copy;"],
      refererBlacklist: ["www.bad.com"],
      allowTruncateQueryString: false,
      truncatePath: true,
      strict: false,
    },
  };
  t.strictSame((await routeWith(t, yaml))?.referer, expected);
  t.match(yaml, /# true is safer/);
  t.match(yaml, /Left out: "http:\/\/例子.com"/);
  t.match(yaml, /"www\.bad\.com" # no browser sends this/);
});

t.test("what is not said has OSS's defaults; empty elements are empty lists", async (t) => {
  const documents = [
    "<RefererConfiguration/>",
    "<o:RefererConfiguration xmlns:o='x'><o:RefererList/><o:RefererBlacklist></o:RefererBlacklist></o:RefererConfiguration>",
    "<RefererConfiguration><AllowEmptyReferer/><RefererList><Referer></Referer></RefererList></RefererConfiguration>",
  ];
  for (const document of documents) {
    t.match((await routeWith(t, yamlOf(t, "import-referer", document)))?.referer?.rules, {
      allowEmptyReferer: true,
      refererList: [],
      refererBlacklist: [],
      allowTruncateQueryString: true,
      truncatePath: false,
      strict: false,
    });
  }
  const pointless = "<RefererConfiguration><AllowEmptyReferer>false</AllowEmptyReferer></RefererConfiguration>";
  t.match(yamlOf(t, "import-referer", pointless), /# As at OSS, this has no effect without a refererList/);
});

t.test("imported rules decide as the bucket's did", async (t) => {
  const rules = { refererList: ["http://a.com", "*.b.com"], refererBlacklist: ["http://x.b.com"] };
  const xml = (name: string, list: readonly string[]): string =>
    `<${name}>${list.map((entry) => `<Referer>${entry}</Referer>`).join("")}</${name}>`;
  const document = `<RefererConfiguration>${xml("RefererList", rules.refererList)}${xml("RefererBlacklist", rules.refererBlacklist)}</RefererConfiguration>`;
  const route = await routeWith(t, yamlOf(t, "import-referer", document));
  const imported = route?.referer?.rules;
  if (imported?.kind !== "oss") throw new Error("it is not OSS's kind");
  const check = compileOssReferer(imported);
  const emulator = createEmulator();
  t.teardown(() => emulator.close());
  await emulator.listen();
  emulator.addBucket({ name: BUCKET, acl: "public-read", referer: rules });
  emulator.putObject(BUCKET, "k", "text");
  const referers = ["http://a.com/", "http://a.com.evil.net/", "http://x.b.com/", "https://y.b.com/", "http://c.com/"];
  const seen = new Set<number>();
  for (const referer of referers) {
    const { status } = await send(emulator, { host: DEFAULT_HOST, target: "/k", headers: ["Referer", referer] });
    t.equal(check(referer) === null ? 200 : 403, status, referer);
    seen.add(status);
  }
  t.equal(seen.size, 2);
});

t.test("what GetBucketCors answers can be handed in as it is", async (t) => {
  const emulator = createEmulator();
  t.teardown(() => emulator.close());
  await emulator.listen();
  emulator.setNowMs(NOW_MS);
  emulator.addCredentials(OWNER);
  emulator.addBucket({ name: BUCKET, corsRules: IMPORTED_CORS.rules, corsResponseVary: true });
  const asked = { host: DEFAULT_HOST, target: "/?cors", key: "" };
  const answer = await send(emulator, signed(asked, "v4-header"));
  t.equal(answer.status, 200);
  t.strictSame((await routeWith(t, yamlOf(t, "import-cors", answer.body)))?.cors, IMPORTED_CORS);
  emulator.setCors(BUCKET, null);
  const none = convert("import-cors", (await send(emulator, signed(asked, "v4-header"))).body);
  t.match(none, { problem: /OSS's answer to a failed request \(NoSuchCORSConfiguration\)/ });
});

const rule = (inside: string): string =>
  `<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin>${inside}</CORSRule></CORSConfiguration>`;
const GET = "<AllowedMethod>GET</AllowedMethod>";

const refused: readonly (readonly [command: Command, document: string | Buffer, said: RegExp])[] = [
  ["import-cors", "", /is empty/],
  ["import-cors", "cors: {}", /is no XML/],
  ["import-cors", "<CORSConfiguration><CORSRule></CORSConfiguration>", /is no XML: line 1/],
  ["import-cors", "<CORSConfiguration/><CORSConfiguration/>", /more than one root/],
  ["import-cors", Buffer.from([0x3c, 0xff, 0xfe]), /no UTF-8/],
  ["import-cors", "<RefererConfiguration/>", /'ossgate import-referer' takes/],
  ["import-referer", "<CORSConfiguration/>", /'ossgate import-cors' takes/],
  ["import-cors", "<CORSConfiguration/>", /has no CORSRule/],
  ["import-cors", rule("<ID>1</ID>"), /<ID> in <CORSRule> is not known; known are AllowedOrigin/],
  ["import-cors", rule(`${GET}text`), /<CORSRule> has text inside/],
  ["import-cors", rule("<AllowedMethod><b/></AllowedMethod>"), /<AllowedMethod> has elements inside/],
  ["import-cors", rule("<AllowedMethod>OPTIONS</AllowedMethod>"), /number 1: The method OPTIONS cannot be allowed/],
  ["import-cors", rule(`${GET}<MaxAgeSeconds>soon</MaxAgeSeconds>`), /MaxAgeSeconds is no number/],
  ["import-cors", rule(`${GET}<MaxAgeSeconds>1</MaxAgeSeconds><MaxAgeSeconds>2</MaxAgeSeconds>`), /2 times/],
  ["import-cors", rule(`${GET}<ExposeHeader>x-*</ExposeHeader>`), /x-\* cannot be exposed/],
  [
    "import-cors",
    `<CORSConfiguration>${`<CORSRule><AllowedOrigin>*</AllowedOrigin>${GET}</CORSRule>`.repeat(21)}</CORSConfiguration>`,
    /21 rules/,
  ],
  ["import-cors", rule(GET).replace(">*<", ">a.com<"), /no rule that an origin of a browser can match/],
  [
    "import-referer",
    "<RefererConfiguration><TruncatePath>maybe</TruncatePath></RefererConfiguration>",
    /neither true nor/,
  ],
  [
    "import-referer",
    "<RefererConfiguration><RefererList><Referer>a b</Referer></RefererList></RefererConfiguration>",
    /everybody would pass/,
  ],
  [
    "import-referer",
    '<!DOCTYPE r [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><RefererConfiguration>&b;</RefererConfiguration>',
    /document type/,
  ],
  [
    "import-referer",
    `${"<RefererConfiguration>".repeat(1000)}${"</RefererConfiguration>".repeat(1000)}`,
    /cannot be|can be read|nested/i,
  ],
];

t.test("whatever else comes in is refused in one line that says what is wrong", (t) => {
  for (const [command, document, said] of refused) {
    const converted = convert(command, document);
    t.match(converted, { problem: said }, String(document).slice(0, 60));
    t.notMatch("problem" in converted ? converted.problem : "", /\n/);
  }
  t.end();
});

t.test("a value cannot leave its comment or its quotes", async (t) => {
  const hostile = `x"\n      strict: true # \u0085y\u2028z \\ ' &quot;`;
  const document = `<RefererConfiguration><RefererList><Referer>*</Referer><Referer>${hostile}</Referer></RefererList></RefererConfiguration>`;
  t.match((await routeWith(t, yamlOf(t, "import-referer", document)))?.referer?.rules, {
    refererList: ["*"],
    strict: false,
  });
});

t.test("files, standard input and wrong usage, as with the other commands", async (t) => {
  const dir = t.testdir({ "cors.xml": CORS });
  const run = (...args: readonly string[]): Promise<Ran> => runProgram(t, args);
  const ran = await Promise.all([
    run("import-cors", `${dir}/cors.xml`),
    pipe("import-referer", REFERER),
    pipe("import-referer", CORS),
    pipe("import-cors", " ".repeat(200_000)),
    run("import-cors", `${dir}/none.xml`),
    run("import-referer"),
    run("import-cors", "--strict"),
    run("import-cors", "--help"),
  ]);
  const expected: readonly Readonly<Record<keyof Ran, unknown>>[] = [
    { code: 0, stdout: yamlOf(t, "import-cors", CORS), stderr: "" },
    { code: 0, stdout: yamlOf(t, "import-referer", REFERER), stderr: "" },
    { code: 3, stdout: "", stderr: /^ossgate import-referer: standard input is no RefererConfiguration: .*\n$/ },
    { code: 3, stdout: "", stderr: /^ossgate import-cors: standard input is longer than 65536 bytes.*\n$/ },
    { code: 1, stdout: "", stderr: /^ossgate import-cors: cannot read .*: there is no such file\n$/ },
    { code: 2, stdout: "", stderr: /which file\?.*\n\nUsage: ossgate import-referer/ },
    { code: 2, stdout: "", stderr: /unknown option '--strict'/ },
    { code: 0, stdout: /^Usage: ossgate import-cors FILE\n/, stderr: "" },
  ];
  for (const [index, wanted] of expected.entries()) t.match(ran[index], wanted);
});
