import t from "tap";
import { OPERATIONS } from "../../src/core/operations.js";
import type { CapturedRequest } from "../../src/emulator/index.js";
import { head, RawConnection, xmlText } from "../support/raw-client.js";
import {
  ask,
  BUCKET,
  EVERY_METHOD,
  everythingOf,
  outcome,
  queryOf,
  type SignWorld,
  sentHeader,
  signingRoute,
  startSigning,
} from "../support/sign-world.js";
import { OSS_HEADERS, PARAMETERS, SAMPLE_VALUES, V1_SIGNED } from "../unit/signing/known-names.js";

const OVERRIDES = V1_SIGNED.filter((name) => name.startsWith("response-"));
const READING = `process: ["image/resize,*"], responseOverrides: [${OVERRIDES.join(", ")}]`;
const ROUTES =
  signingRoute("plain", `${EVERY_METHOD}, allow: { anyone: true }`) +
  signingRoute("readonly", "methods: [GET, HEAD, POST, DELETE], allow: { anyone: true }", READING) +
  signingRoute("all", `${EVERY_METHOD}, operations: [${OPERATIONS.join(", ")}], allow: { anyone: true }`, READING);

const METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE"] as const;
const each = (methods: string, target: string): string[] => methods.split(",").map((method) => `${method} ${target}`);
const READS = [...each("GET,HEAD", "k?x-oss-process"), ...OVERRIDES.flatMap((name) => each("GET,HEAD", `k?${name}`))];
const UPLOADS = ["POST k?uploads", ...each("POST,DELETE,GET", "k?uploadId")];
const LISTS = "prefix marker max-keys delimiter encoding-type uploads versions list-type".split(" ");
const NAMED = [
  ..."acl symlink tagging".split(" ").flatMap((name) => each("GET,PUT", `k?${name}`)),
  ...each("GET,HEAD", "k?objectMeta"),
  ...each("GET,HEAD,DELETE", "k?versionId"),
  ...["DELETE k?tagging", "POST k?restore", "POST ?delete"],
  ...["bucketInfo", "location", "stat", ...LISTS].map((name) => `GET ?${name}`),
];

/** What one parameter alone can ask for; everything else is refused by its name. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  plain: UPLOADS,
  readonly: READS,
  all: [...READS, ...UPLOADS, ...NAMED],
};

/** Any of these makes a request one that the client signed, which these routes refuse as such. */
const SIGNATURE_PARTS: ReadonlySet<string> = new Set([
  "OSSAccessKeyId",
  "Signature",
  "x-oss-access-key-id",
  "x-oss-credential",
  "x-oss-signature",
  "x-oss-signature-version",
]);

/** Asks one after the other on one connection; a request's own User-Agent says which one arrived upstream. */
class Asker {
  readonly #world: SignWorld;
  #connection: RawConnection | null = null;

  constructor(world: SignWorld) {
    this.#world = world;
  }

  async ask(method: string, host: string, target: string, headers: readonly string[] = []) {
    this.#connection ??= await RawConnection.open(this.#world.gateway.port);
    this.#world.emulator.clearCaptures();
    const length = method === "PUT" || method === "POST" ? ["Content-Length", "0"] : [];
    this.#connection.send(head(method, target, ["Host", host, ...headers, ...length]));
    const answer = await this.#connection.answer(method);
    const names = answer.rawHeaders.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase());
    const value = (name: string): string => answer.rawHeaders[2 * names.indexOf(name) + 1] ?? "";
    if (value("connection") === "close") this.close();
    return {
      status: answer.status,
      error: value("x-ossgate-error"),
      message: value("x-ossgate-message"),
      captures: this.#world.emulator.captures,
    };
  }

  close(): void {
    this.#connection?.close();
    this.#connection = null;
  }
}

/** A DELETE that OSS would take for one of the object, or of the bucket, itself. */
const isPlainDelete = ({ method, rawTarget }: CapturedRequest): boolean =>
  method === "DELETE" && !rawTarget.includes("?");

for (const [route, allowed] of Object.entries(ALLOWED)) {
  t.test(
    `route "${route}": of all parameters of OSS with every method these go upstream as they are, others not at all`,
    async (t) => {
      const world = await startSigning(t, ROUTES);
      const asker = new Asker(world);
      t.teardown(() => asker.close());
      const arrived: string[] = [];
      const wrong: string[] = [];
      for (const name of PARAMETERS) {
        const value = SAMPLE_VALUES.get(name);
        const query = value === undefined ? name : `${name}=${encodeURIComponent(value)}`;
        for (const method of METHODS) {
          if (route === "readonly" && method === "PUT") continue;
          for (const key of ["k", ""]) {
            world.emulator.putObject(BUCKET, "k", "kept");
            const line = `${method} ${key}?${name}`;
            const { status, error, message, captures } = await asker.ask(method, `${route}.test`, `/${key}?${query}`);
            if (captures.length === 0) {
              const isNamed = message.includes(`"${name}"`) && error === "PARAMETER_NOT_ALLOWED" && status === 400;
              const isSignature =
                error === "CLIENT_SIGNATURE_NOT_ALLOWED" && status === 403 && SIGNATURE_PARTS.has(name);
              if (!isNamed && !isSignature) wrong.push(`${line}: ${status} ${error} ${message}`);
              continue;
            }
            arrived.push(line);
            if (captures.length > 1 || captures.some(isPlainDelete))
              wrong.push(`${line}: sent as ${captures[0]?.rawTarget}`);
            const sent = queryOf(captures[0] as CapturedRequest);
            const sentMethod = captures[0]?.method;
            if (
              sentMethod !== method ||
              JSON.stringify(sent) !== JSON.stringify([[name, value ?? sent[0]?.[1] ?? null]])
            ) {
              wrong.push(`${line}: sent as ${sentMethod} ${captures[0]?.rawTarget}`);
            }
          }
        }
      }
      t.strictSame(wrong, []);
      const expected =
        route === "plain" ? allowed : allowed.filter((line) => route === "all" || !line.startsWith("PUT"));
      t.strictSame(arrived.sort(), [...expected].sort());
    },
  );

  t.test(`route "${route}": of all x-oss-* headers none goes upstream that is not on the list`, async (t) => {
    const world = await startSigning(t, ROUTES);
    const asker = new Asker(world);
    t.teardown(() => asker.close());
    const arrived = new Set<string>();
    const wrong: string[] = [];
    for (const name of OSS_HEADERS) {
      for (const method of METHODS) {
        if (route === "readonly" && (method === "PUT" || method === "POST")) continue;
        const value = name === "x-oss-copy-source" ? `/${BUCKET}/k` : "v";
        const target = method === "POST" ? "/k?uploads" : "/k";
        for (const spelled of [name, name.toUpperCase()]) {
          world.emulator.putObject(BUCKET, "k", "kept");
          const { status, error, message, captures } = await asker.ask(method, `${route}.test`, target, [
            spelled,
            value,
          ]);
          const isNamed = message.toLowerCase().includes(name) && error === "HEADER_NOT_ALLOWED" && status === 400;
          if (captures.length > 0) arrived.add(`${method} ${name}`);
          else if (!isNamed) wrong.push(`${method} ${spelled}: ${status} ${error} ${message}`);
          for (const capture of captures) {
            if (sentHeader(capture, name) !== value) wrong.push(`${method} ${spelled}: dropped or changed`);
          }
        }
      }
    }
    t.strictSame(wrong, []);
    t.strictSame([...arrived].sort(), headersAllowedOn(route));
  });
}

function headersAllowedOn(route: string): string[] {
  const upload = "x-oss-forbid-overwrite x-oss-hash-crc64ecma x-oss-meta-author x-oss-meta-magic".split(" ");
  const named = ["x-oss-object-acl", "x-oss-tagging"];
  const of = (names: readonly string[]): string[] => names.flatMap((name) => [`PUT ${name}`, `POST ${name}`]);
  if (route === "readonly") return [];
  return (route === "plain" ? of(upload) : [...of([...upload, ...named]), "PUT x-oss-copy-source"]).sort();
}

t.test("no DELETE that asks for something else deletes the object", async (t) => {
  const world = await startSigning(t, ROUTES);
  world.emulator.putObject(BUCKET, "k", "kept");
  const queries = [
    ..."uploadId uploadId= cors acl x x=1 versionId versionId= Uploadid=1 uploadId=1&x=1 policy website lifecycle".split(
      " ",
    ),
    ..."%75ploadId uploadI%64 uploadId=%20 uploadId=a%2Fb uploadId=1&uploadId=2 utm_source=a =1 & tagging=1".split(" "),
  ];
  for (const host of ["plain.test", "all.test"]) {
    for (const query of queries.filter((text) => text !== "&")) {
      for (const key of ["k", ""]) {
        const { captures, status } = await ask(world, { method: "DELETE", host, target: `/${key}?${query}` });
        t.strictSame(captures, [], `${host} DELETE /${key}?${query}`);
        t.equal(status, 400, `${host} DELETE /${key}?${query}`);
      }
    }
    t.equal((await ask(world, { method: "DELETE", host, target: "/" })).captures.length, 0, "the bucket itself");
  }
  t.equal(world.emulator.readObject(BUCKET, "k").toString(), "kept");
  t.equal((await ask(world, { method: "DELETE", host: "plain.test", target: "/k" })).status, 204);
  t.strictSame(world.emulator.keys(BUCKET), []);
});

t.test("what a client calls hop-by-hop takes nothing off that would change the request's meaning", async (t) => {
  const world = await startSigning(t, ROUTES);
  world.emulator.putObject(BUCKET, "k", "kept");
  for (const name of ["x-oss-forbid-overwrite", "x-oss-copy-source", "content-md5"]) {
    const value = name === "content-md5" ? "AAAAAAAAAAAAAAAAAAAAAA==" : "true";
    const headers = ["Connection", `keep-alive, ${name}`, name, value];
    const { captures, status } = await ask(world, {
      method: "PUT",
      host: "plain.test",
      target: "/k",
      headers,
      body: "new",
    });
    t.ok(
      captures.every((capture) => sentHeader(capture, name) === value),
      name,
    );
    t.ok(status >= 400, name);
  }
  t.equal(world.emulator.readObject(BUCKET, "k").toString(), "kept");
});

t.test("parameters that OSS does not know are dropped on reads, and the rest arrives signed", async (t) => {
  const world = await startSigning(t, ROUTES);
  world.emulator.putObject(BUCKET, "k", "hello");
  const target = "/k?utm_source=a&response-content-type=text%2Fhtml&fbclid=%zz&=&&b";
  for (const method of ["GET", "HEAD"]) {
    const answer = await ask(world, { method, host: "readonly.test", target });
    t.equal(answer.status, 200);
    t.equal(answer.captures[0]?.rawTarget, "/k?response-content-type=text%2Fhtml");
    if (method === "GET") t.equal(answer.header("content-type"), "text/html");
  }
});

t.test("nothing of the client's own identity or connection goes upstream", async (t) => {
  const world = await startSigning(t, ROUTES);
  world.emulator.putObject(BUCKET, "k", "hello");
  const headers = [
    ...["Cookie", "session=1", "X-Forwarded-For", "10.0.0.1", "Authorization", "Basic dTpw", "TE", "trailers"],
    ...["Proxy-Authorization", "Basic dTpw", "X-Custom", "1", "Date", "Wed, 01 Jan 2020 00:00:00 GMT"],
  ];
  const { captures, status } = await ask(world, { host: "plain.test", target: "/k", headers });
  t.equal(status, 200);
  const names = captures[0]?.rawHeaders.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase());
  t.strictSame(
    names?.sort(),
    ["authorization", "connection", "host", "user-agent", "x-oss-content-sha256", "x-oss-date"].sort(),
  );
  t.match(sentHeader(captures[0] as CapturedRequest, "authorization"), /^OSS4-HMAC-SHA256 Credential=gateway-ak\//);
});

t.test("a refusal names what it refuses, in XML and on a HEAD, and echoes no more than that", async (t) => {
  const world = await startSigning(t, ROUTES);
  const long = `x-oss-${"a".repeat(3_000)}`;
  for (const method of ["GET", "HEAD"]) {
    const answer = await ask(world, { method, host: "plain.test", target: `/k?${long}=secret-value%3Cb%3E` });
    t.equal(outcome(answer), "PARAMETER_NOT_ALLOWED");
    t.ok(everythingOf(answer).length < 1_600);
    t.notMatch(everythingOf(answer), /secret-value/);
  }
  const answer = await ask(world, { host: "plain.test", target: "/k?x-oss-%3Cscript%3E" });
  t.equal(xmlText(answer.text, "Code"), "InvalidArgument");
  t.notMatch(answer.text, /<script>/);
});
