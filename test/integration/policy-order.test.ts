import { join } from "node:path";
import { hashSync } from "bcrypt";
import t from "tap";
import {
  type Answered,
  ask,
  BUCKET,
  LINKS,
  linkOf,
  outcome,
  REGION,
  type SignWorld,
  startSigning,
} from "../support/sign-world.js";

/** A request that may break several rules at once. */
interface Wish {
  readonly host: string;
  readonly method: string;
  readonly from: string;
  readonly headers: readonly string[];
  readonly contentLength: number | null;
  readonly hasNoLength?: boolean;
  /** Whether it carries a good link. */
  readonly isLinked: boolean;
}

const LAWFUL: Wish = {
  host: "site.test",
  method: "GET",
  from: "192.0.2.1",
  headers: ["Referer", "https://www.example.com/page", "Authorization", `Basic ${btoa("anna:right")}`],
  contentLength: null,
  isLinked: true,
};

interface Violation {
  readonly breaks: string;
  readonly status: number;
  /** What the gateway calls it. */
  readonly code: string;
  apply(wish: Wish): Wish;
  /** Those that cannot be had together with this one. */
  readonly not?: readonly string[];
}

const withHeader = (wish: Wish, name: string, value: string): Wish => {
  const others = wish.headers.filter((_, i) => wish.headers[i - (i % 2)] !== name);
  return { ...wish, headers: [...others, name, value] };
};

/** In the order in which they are found: of two that are broken at once, the first answers. The README has this order. */
const ORDER: readonly Violation[] = [
  {
    breaks: "head",
    status: 417,
    code: "EXPECTATION_FAILED",
    apply: (wish) => withHeader(wish, "Expect", "something"),
  },
  {
    breaks: "length",
    status: 411,
    code: "LENGTH_REQUIRED",
    apply: (wish) => ({ ...wish, method: "POST", contentLength: null, hasNoLength: true }),
    not: ["method", "size", "preflight"],
  },
  {
    breaks: "route",
    status: 404,
    code: "NO_ROUTE",
    apply: (wish) => ({ ...wish, host: "unknown.test" }),
    not: ["rate", "bucket rate", "quota"],
  },
  { breaks: "network", status: 403, code: "CLIENT_NOT_ALLOWED", apply: (wish) => ({ ...wish, from: "203.0.113.66" }) },
  {
    breaks: "rate",
    status: 429,
    code: "RATE_LIMITED",
    apply: (wish) => ({ ...wish, host: "limited.test" }),
    not: ["bucket rate", "quota"],
  },
  {
    breaks: "method",
    status: 405,
    code: "METHOD_NOT_ALLOWED",
    apply: (wish) => ({ ...wish, method: "DELETE" }),
    not: ["preflight"],
  },
  { breaks: "size", status: 413, code: "BODY_TOO_LARGE", apply: (wish) => ({ ...wish, contentLength: 2_000 }) },
  {
    breaks: "preflight",
    status: 403,
    code: "CORS_DENIED",
    apply: (wish) =>
      withHeader(
        withHeader({ ...wish, method: "OPTIONS" }, "Origin", "https://evil.example"),
        "Access-Control-Request-Method",
        "GET",
      ),
  },
  {
    breaks: "signature",
    status: 403,
    code: "CLIENT_SIGNATURE_NOT_ALLOWED",
    not: ["password"],
    apply: (wish) => withHeader(wish, "Authorization", "OSS somebody:c2lnbmF0dXJlc2lnbmF0dXJl"),
  },
  {
    breaks: "referer",
    status: 403,
    code: "REFERER_DENIED",
    apply: (wish) => withHeader(wish, "Referer", "https://evil.example/"),
  },
  { breaks: "link", status: 403, code: "LINK_REQUIRED", apply: (wish) => ({ ...wish, isLinked: false }) },
  {
    breaks: "password",
    status: 401,
    code: "LOGIN_REQUIRED",
    apply: (wish) => withHeader(wish, "Authorization", `Basic ${btoa("anna:wrong")}`),
  },
  {
    breaks: "what is asked",
    status: 400,
    code: "HEADER_NOT_ALLOWED",
    apply: (wish) => withHeader(wish, "x-oss-object-acl", "public-read"),
  },
  {
    breaks: "bucket rate",
    status: 429,
    code: "RATE_LIMITED",
    apply: (wish) => ({ ...wish, host: "busy.test" }),
    not: ["quota"],
  },
  { breaks: "quota", status: 503, code: "SHED", apply: (wish) => ({ ...wish, host: "shed.test" }) },
];

const LITTLE = ", requests: 0.1/s, burst: 1";

const route = (name: string, bucket: string, limits: string): string => `
  - name: ${name}
    match: { hosts: [${name}.test] }
    bucket: ${bucket}
    auth: sign
    sign: { credentials: reader }
    allow: { ${LINKS}, basic: { file: $USERS } }
    satisfy: all
    deny: { clients: [203.0.113.66] }
    limits: { bodySize: 1KiB${limits} }
    referer: { allowEmptyReferer: false, refererList: ["https://www.example.com"] }
    cors: { rules: [ { allowedOrigins: ["https://www.example.com"], allowedMethods: [GET] } ] }
`;

/** What a rate had left is used up before each request, since it comes back in time. */
async function answerTo(world: SignWorld, wish: Wish): Promise<Pick<Answered, "status" | "header">> {
  if (wish.host !== LAWFUL.host) await send(world, { ...LAWFUL, host: wish.host });
  return send(world, wish);
}

function send(world: SignWorld, wish: Wish): Promise<Pick<Answered, "status" | "header">> {
  const { host, method, from, headers, contentLength, hasNoLength = false, isLinked } = wish;
  const target = isLinked ? `/k?${linkOf(host.replace(".test", ""), "/k")}` : "/k";
  const body = contentLength === null ? {} : { body: "x".repeat(contentLength) };
  return ask(world, { method, host, target, headers: ["X-Forwarded-For", from, ...headers], ...body, hasNoLength });
}

t.test("of two rules that are broken at once, the first in the order answers", async (t) => {
  const directory = t.testdir({ users: `anna:${hashSync("right", 4)}\n` });
  const routes = [
    route("site", "one", ""),
    route("limited", "one", LITTLE),
    route("busy", "busy", ""),
    route("shed", "shed", ""),
  ]
    .join("")
    .replaceAll("$USERS", join(directory, "users"));
  const world = await startSigning(t, routes, {
    listeners: 'listeners: [{ name: web, address: "127.0.0.1:0" }]\ntrustedProxies: [127.0.0.1]',
    moreBuckets: (url) =>
      [
        `busy: { bucket: ${BUCKET}, region: ${REGION}, endpoint: "${url}", limits: { requests: 0.1/s, burst: 1 } }`,
        `  shed: { bucket: ${BUCKET}, region: ${REGION}, endpoint: "${url}", quota: { requests: 0.1/s, shed: true } }`,
      ].join("\n"),
  });
  world.emulator.putObject(BUCKET, "k", "text");
  for (const host of ["site.test", "limited.test", "busy.test", "shed.test"]) {
    t.equal((await send(world, { ...LAWFUL, host })).status, 200, "what breaks no rule is served");
  }
  let pairs = 0;
  for (const [i, first] of ORDER.entries()) {
    const alone = await answerTo(world, first.apply(LAWFUL));
    t.match({ status: alone.status, code: outcome(alone) }, { status: first.status, code: first.code }, first.breaks);
    for (const second of ORDER.slice(i + 1)) {
      if (first.not?.includes(second.breaks) === true) continue;
      const both = await answerTo(world, first.apply(second.apply(LAWFUL)));
      t.equal(outcome(both), first.code, `${first.breaks} and ${second.breaks}`);
      pairs += 1;
    }
  }
  t.ok(pairs > 80);
});
