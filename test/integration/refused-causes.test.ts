import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestOptions, request } from "node:http";
import type { AddressInfo } from "node:net";
import t, { type Test } from "tap";
import { Secret } from "../../src/core/secret.js";
import type { Emulator } from "../../src/emulator/index.js";
import type { AccessEntry } from "../../src/telemetry/access-entry.js";
import { BUCKET, errorOf, KEYS, ossClient, REGION } from "../clients/ali-oss.js";
import { VERSIONS } from "../clients/world.js";
import { startEmulator, startGateway, type TestGateway } from "../support/gateway.js";
import { answerTo, head } from "../support/raw-client.js";

/** One line of the gateway's log. */
type Line = Readonly<Record<string, unknown>> & { readonly message: string };

interface World {
  readonly emulator: Emulator;
  readonly gateway: TestGateway;
  readonly lines: readonly Line[];
  /** Resolves with the first line, past or coming, that says that OSS refused something. */
  refused(): Promise<Line>;
}

interface WorldOptions {
  /** Between gateway and emulator. */
  readonly behind?: Change;
  /** The gateway knows the clients' key pair. */
  readonly knowsSecret?: boolean;
}

/** What a bad hop makes of a request. */
type Change = (sent: RequestOptions & { headers: string[] }) => void;

const OSS_HOST = `${BUCKET}.oss-${REGION}.aliyuncs.com`;

async function startWorld(t: Test, { behind, knowsSecret = false }: WorldOptions = {}): Promise<World> {
  const emulator = await startEmulator(t);
  emulator.addCredentials({ accessKeyId: KEYS.accessKeyId, accessKeySecret: new Secret(KEYS.accessKeySecret) });
  emulator.addBucket({ name: BUCKET, region: REGION });
  emulator.putObject(BUCKET, "here.txt", "here");
  emulator.putObject(BUCKET, "a b+c.txt", "special");
  const endpoint = behind === undefined ? emulator.url : await startHop(t, emulator.port, behind);
  const credentials = knowsSecret ? "credentials: { clients: { type: env } }" : "";
  if (knowsSecret) setEnvironment(t);
  const gateway = await startGateway(
    t,
    `
listeners: [{ name: web, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
${credentials}
buckets: { one: { bucket: ${BUCKET}, region: ${REGION}, endpoint: "${endpoint}" } }
routes:
  - { name: sdk, match: { hosts: [127.0.0.1] }, buckets: [one], methods: [GET, HEAD, PUT, POST, DELETE] }
  ${knowsSecret ? "- { name: own, match: { hosts: [own.test] }, bucket: one, auth: sign, sign: { credentials: clients }, allow: { anyone: true } }" : ""}
`,
  );
  return { emulator, gateway, ...listen(gateway) };
}

function setEnvironment(t: Test): void {
  const before = { ...process.env };
  process.env.OSS_ACCESS_KEY_ID = KEYS.accessKeyId;
  process.env.OSS_ACCESS_KEY_SECRET = KEYS.accessKeySecret;
  t.teardown(() => {
    process.env = before;
  });
}

function listen({ gateway: { log } }: TestGateway): Pick<World, "lines" | "refused"> {
  const lines: Line[] = [];
  const waiting = new Set<() => void>();
  for (const level of ["warn", "error"] as const) {
    const write = (fields: object, message: string): void => {
      lines.push({ level, ...fields, message });
      for (const look of [...waiting]) look();
    };
    Object.assign(log, { [level]: write });
  }
  const refused = (): Promise<Line> =>
    new Promise((resolve) => {
      const look = (): void => {
        const found = lines.find(({ message }) => message === "OSS refused a request");
        if (found === undefined) return;
        waiting.delete(look);
        resolve(found);
      };
      waiting.add(look);
      look();
    });
  return { lines, refused };
}

/** A proxy as people write them; it keeps the raw path unless it is told otherwise. @returns its URL */
async function startHop(t: Test, port: number, change: Change): Promise<string> {
  const server = createServer((req: IncomingMessage, res) => {
    const options = {
      host: "127.0.0.1",
      port,
      method: req.method,
      path: req.url,
      headers: [...req.rawHeaders],
      agent: false,
    };
    const sent = options as RequestOptions & { headers: string[] };
    change(sent);
    const onward = request(sent as RequestOptions, (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      answer.pipe(res);
    });
    onward.on("error", () => res.destroy());
    req.pipe(onward);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const without = (headers: readonly string[], lowerName: string): string[] =>
  headers.filter((_, i) => headers[i - (i % 2)]?.toLowerCase() !== lowerName);

interface BadHop {
  readonly title: string;
  readonly change: Change;
  readonly cause: string;
  readonly causeBehind?: string;
  readonly about?: string;
  readonly key?: string;
  /** The SDK's call; a GET when absent. */
  readonly call?: "put" | "head";
  /** The client's signature alone does not tell; only where the hop is behind the gateway. */
  readonly isLossy?: boolean;
}

const BAD_HOPS: readonly BadHop[] = [
  {
    title: "writes a Content-Type of its own into uploads",
    change: (sent) => {
      sent.headers = [...without(sent.headers, "content-type"), "Content-Type", "application/octet-stream"];
    },
    cause: "header-changed",
    about: "content-type",
    call: "put",
    isLossy: true,
  },
  {
    title: "adds x-oss-range-behavior",
    change: (sent) => {
      sent.headers.push("x-oss-range-behavior", "standard");
    },
    cause: "header-added-by-hop",
    about: "x-oss-range-behavior",
  },
  {
    title: "encodes the path a second time",
    change: (sent) => {
      sent.path = encodeURI(sent.path ?? "");
    },
    cause: "key-encoded-twice",
    key: "a b+c.txt",
  },
  {
    title: "takes plus signs for blanks",
    change: (sent) => {
      sent.path = (sent.path ?? "").replaceAll("%2B", "%20");
    },
    cause: "plus-as-space",
    key: "a+c.txt",
    isLossy: false,
  },
  {
    title: "makes GET of HEAD",
    change: (sent) => {
      sent.method = sent.method === "HEAD" ? "GET" : sent.method;
    },
    cause: "method-changed",
    // The answer has no document, neither in its body nor in its head.
    causeBehind: "no-document",
    call: "head",
  },
  {
    title: "rewrites the path",
    change: (sent) => {
      sent.path = (sent.path ?? "").replace("here.txt", "there.txt");
    },
    cause: "key-changed",
    isLossy: true,
  },
  {
    title: "takes the date away and writes its own",
    change: (sent) => {
      const now = new Date(Date.now() - 1_000);
      const isV4 = sent.headers.some((text) => text.includes("OSS4"));
      const date = isV4 ? `${now.toISOString().replace(/[-:]|\.\d+/g, "")}` : now.toUTCString();
      sent.headers = [...without(sent.headers, "x-oss-date"), "x-oss-date", date];
    },
    cause: "date-changed",
    isLossy: true,
  },
];

interface HopBefore {
  readonly title: string;
  readonly change: Change;
  readonly call?: "put";
  readonly cause: string;
  readonly about?: RegExp;
  readonly certainty?: "proven";
  readonly next?: RegExp;
}

const UNDECIDED = "changed-before-or-wrong-secret";

/** The usual place of a bad hop, where nobody but the client knows the secret. */
const HOPS_BEFORE: readonly HopBefore[] = [
  {
    title: "adds x-oss-meta to an upload",
    change: (sent) => void sent.headers.push("x-oss-meta-hop", "1"),
    call: "put",
    cause: UNDECIDED,
    about: /x-oss-meta-hop/,
    next: /suspect: .*x-oss-meta-hop/,
  },
  {
    title: "adds x-oss-meta to a download",
    change: (sent) => void sent.headers.push("x-oss-meta-hop", "1"),
    cause: "header-added-by-hop",
    about: /^x-oss-meta-hop$/,
    next: /If it is not that, check the client's secret\.$/,
  },
  {
    title: "writes another Content-Type, and says that it was there",
    change: (sent) => {
      sent.headers = [...without(sent.headers, "content-type"), "Content-Type", "text/html", "Via", "1.1 hop"];
    },
    call: "put",
    cause: UNDECIDED,
    about: /content-type/,
    next: /proxy or CDN, as via tells\.$/,
  },
  {
    title: "writes a Content-MD5 of its own into uploads",
    change: (sent) => {
      sent.headers = [...without(sent.headers, "content-md5"), "Content-MD5", "1B2M2Y8AsgTpgAmY7PhCfg=="];
    },
    call: "put",
    cause: UNDECIDED,
    about: /content-md5/,
  },
  {
    title: "adds a sub-resource",
    change: (sent) => {
      sent.path = `${sent.path}?acl`;
    },
    cause: UNDECIDED,
    about: /\?acl/,
  },
  {
    title: "cuts the signature",
    change: (sent) => {
      const at = sent.headers.findIndex((name) => name.toLowerCase() === "authorization") + 1;
      sent.headers[at] = (sent.headers[at] ?? "").slice(0, -3);
    },
    cause: "signature-cut",
    about: /^(25 of 28|61 of 64) characters$/,
    certainty: "proven",
    next: /between the client and this gateway/,
  },
];

for (const { version, authorizationV4 } of VERSIONS) {
  for (const { title, change, cause, causeBehind = cause, about, key = "here.txt", call } of BAD_HOPS) {
    t.test(
      `${version}: a hop behind the gateway that ${title} is named, although the secret is not known`,
      async (t) => {
        const { gateway, refused } = await startWorld(t, { behind: change });
        const client = ossClient(t, { endpoint: gateway.url, authorizationV4, bucket: BUCKET });
        const called =
          call === "put" ? client.put(key, Buffer.from("x")) : call === "head" ? client.head(key) : client.get(key);
        t.match(await errorOf(called), { status: 403 });
        const line = await refused();
        t.match(line, { level: "warn", route: "sdk", bucket: "one", cause: causeBehind, certainty: "proven" });
        if (about !== undefined) t.equal(line.about, about);
        t.match(line.ossRequestId, /^[0-9A-F]{24}$/);
        t.match(line.next, /between this gateway and OSS|signed method/);
      },
    );
  }

  for (const { title, change, cause, about, key = "here.txt", call, isLossy } of BAD_HOPS) {
    if (isLossy === true) continue;
    t.test(
      `${version}: a hop before the gateway that ${title} is proven with the key that the gateway holds`,
      async (t) => {
        const { gateway, refused } = await startWorld(t, { knowsSecret: true });
        const endpoint = await startHop(t, gateway.port, change);
        const client = ossClient(t, { endpoint, authorizationV4, bucket: BUCKET });
        t.match(await errorOf(call === "head" ? client.head(key) : client.get(key)), { status: 403 });
        const line = await refused();
        t.match(line, { cause, certainty: "proven" });
        if (about !== undefined) t.equal(line.about, about);
        t.match(line.next, /before|between the client and this gateway|signed method/);
      },
    );
  }

  for (const { title, change, call, cause, about, certainty = "likely", next } of HOPS_BEFORE) {
    t.test(`${version}: a hop before the gateway that ${title}, and the gateway holds no key`, async (t) => {
      const { gateway, refused } = await startWorld(t);
      const endpoint = await startHop(t, gateway.port, change);
      const client = ossClient(t, { endpoint, authorizationV4, bucket: BUCKET });
      const called = call === "put" ? client.put("here.txt", Buffer.from("x")) : client.get("here.txt");
      t.match(await errorOf(called), { status: 403 });
      const line = await refused();
      t.equal(line.cause, cause);
      t.equal(line.certainty, certainty);
      if (about !== undefined) t.match(line.about, about);
      if (next !== undefined) t.match(line.next, next);
      t.notMatch(JSON.stringify(line), KEYS.accessKeySecret);
    });
  }

  t.test(
    `${version}: a wrong secret is likely where nothing else differs, and proven where the gateway has it too`,
    async (t) => {
      const { gateway, refused } = await startWorld(t);
      const client = ossClient(t, { endpoint: gateway.url, authorizationV4, accessKeySecret: "wrong" });
      t.match(await errorOf(client.get("here.txt")), { code: "SignatureDoesNotMatch" });
      const line = await refused();
      t.equal(line.cause, "changed-before-or-wrong-secret");
      t.match(line, { certainty: "likely", next: /directly/ });

      const own = await startWorld(t, { knowsSecret: true });
      own.emulator.addCredentials({ accessKeyId: KEYS.accessKeyId, accessKeySecret: new Secret("rotated at OSS") });
      const good = ossClient(t, { endpoint: own.gateway.url, authorizationV4 });
      t.match(await errorOf(good.get("here.txt")), { code: "SignatureDoesNotMatch" });
      const proven = await own.refused();
      t.equal(proven.cause, "wrong-secret");
      t.match(proven, { certainty: "proven", next: /rotated or mistyped/ });
    },
  );

  t.test(`${version}: keys, tokens and clocks have causes of their own`, async (t) => {
    const cases: readonly (readonly [cause: string, options: Readonly<Record<string, string>>, skewMs?: number])[] = [
      ["wrong-key-id", { accessKeyId: "nobody" }],
      ["security-token-missing", { accessKeyId: "STS.nobody" }],
      ["clock", {}, 3_600_000],
    ];
    for (const [cause, options, skewMs = 0] of cases) {
      const { emulator, gateway, refused } = await startWorld(t);
      if (skewMs !== 0) emulator.setNowMs(Date.now() + skewMs);
      t.equal(
        (await errorOf(ossClient(t, { endpoint: gateway.url, authorizationV4, ...options }).get("here.txt"))).status,
        403,
      );
      t.match(await refused(), { cause }, cause);
    }
  });
}

t.test("the client gets OSS's answer byte for byte, and the access log a few words", async (t) => {
  const { emulator, gateway } = await startWorld(t);
  const signer = ossClient(t, { endpoint: `http://oss-${REGION}.aliyuncs.com`, accessKeySecret: "wrong" });
  const { pathname, search } = new URL(signer.signatureUrl("here.txt", { expires: 60 }));
  const direct = await answerTo(emulator.port, head("GET", pathname + search, ["Host", OSS_HOST]));
  const relayed = await answerTo(gateway.port, head("GET", `/${BUCKET}${pathname}${search}`, ["Host", "127.0.0.1"]));
  t.equal(relayed.status, 403);
  const [text = "", asked = ""] = [relayed, direct].map(({ body }) =>
    body.toString().replace(/<RequestId>[0-9A-F]{24}/, "<RequestId>"),
  );
  t.match(text, /<Code>SignatureDoesNotMatch<\/Code>.*<StringToSign>GET/s);
  t.equal(text, asked);
  const entry: AccessEntry = await gateway.logged(({ status }) => status === 403);
  t.match(entry, {
    detail: /^OSS: SignatureDoesNotMatch, likely cause: changed-before-or-wrong-secret$/,
    error: undefined,
  });
});

t.test("a website's login, and what is left of a signed URL, are no broken signatures", async (t) => {
  const cases: readonly (readonly [target: string, headers: readonly string[], cause: string, about?: string])[] = [
    ["", ["Authorization", `Basic ${Buffer.from("alice:secret").toString("base64")}`], "other-login"],
    ["", ["Authorization", "Bearer abc.def"], "other-login"],
    ["", ["Authorization", "OSS nothing"], "signature-incomplete"],
    ["?Signature=abc", [], "signature-incomplete", "OSSAccessKeyId, Expires"],
    ["?OSSAccessKeyId=abc&Expires=2000000000", [], "signature-incomplete", "Signature"],
  ];
  for (const [target, headers, cause, about] of cases) {
    const { gateway, refused } = await startWorld(t);
    const answer = await answerTo(
      gateway.port,
      head("GET", `/${BUCKET}/here.txt${target}`, ["Host", "127.0.0.1", ...headers]),
    );
    t.match(String(answer.status), /^40[03]$/);
    const line = await refused();
    t.equal(line.cause, cause, `${target} ${headers}`);
    t.equal(line.about, about);
    t.notMatch(JSON.stringify(line), /alice|YWxpY2U|abc/);
    if (about !== undefined) t.match(line.next, about);
  }
});

t.test("a refusal that repeats is one line a minute, and the next one says how many there were", async (t) => {
  const { gateway, lines } = await startWorld(t);
  const real = performance.now.bind(performance);
  let aheadMs = 0;
  performance.now = () => real() + aheadMs;
  t.teardown(() => {
    performance.now = real;
  });
  const ask = async (): Promise<void> => {
    const response = await fetch(`${gateway.url}/${BUCKET}/here.txt`);
    t.equal(response.status, 403);
    await response.text();
  };
  for (let i = 0; i < 5; i += 1) await ask();
  aheadMs = 61_000;
  await ask();
  const told = lines.filter(({ message }) => message === "OSS refused a request");
  t.match(told, [{ cause: "bucket-private" }, { cause: "bucket-private", suppressed: 4 }]);
  t.equal(told.length, 2);
});

t.test("an answer that is larger than any of OSS's, compressed or no document is relayed and not read", async (t) => {
  const { emulator, gateway, lines } = await startWorld(t);
  const documents: readonly (readonly [body: string, headers: readonly string[]])[] = [
    [`<Error><Code>AccessDenied</Code>${"x".repeat(40_000)}</Error>`, ["Content-Type", "application/xml"]],
    ["<Error><Code>AccessDenied</Code></Error>", ["Content-Type", "application/xml", "Content-Encoding", "br"]],
    ["not a document", ["Content-Type", "application/xml"]],
    ["<Error><Code>AccessDenied</Code></Error>", ["Content-Type", "text/html"]],
  ];
  for (const [body, headers] of documents) {
    emulator.faults.failNext(1, { kind: "answer", status: 403, headers, body });
    const options = { host: "127.0.0.1", port: gateway.port, path: `/${BUCKET}/here.txt`, agent: false };
    const text = await new Promise<string>((resolve, reject) => {
      const sent = request(options, (answer) => {
        let received = "";
        answer.setEncoding("utf8");
        answer.on("data", (chunk: string) => {
          received += chunk;
        });
        answer.on("end", () => resolve(received));
      });
      sent.on("error", reject);
      sent.end();
    });
    t.equal(text, body);
  }
  t.same(lines, []);
});
