import t, { type Test } from "tap";
import { BUCKET, inSeconds, LINKS, linkOf, signingRoute } from "../support/sign-world.js";
import { NEEDS_CHROMIUM } from "./chromium.js";
import type { Pages } from "./page-server.js";
import { FOREIGN_PAGE, OUR_PAGE, type Stage, setStage } from "./stage.js";
import { askFrom, type Question, type Read, visit } from "./visit.js";

const OPEN = "allow: { anyone: true }";
const READ = ["retry-after", "x-ossgate-error", "x-oss-request-id"];

function routes(pages: Pages): string {
  const rule = `allowedMethods: [GET, PUT, DELETE], allowedHeaders: ["*"], exposeHeaders: [${READ}]`;
  const cors = `cors: { rules: [{ allowedOrigins: ["${pages.origin(OUR_PAGE)}"], ${rule} }] }`;
  const with405 = "methods: [GET, PUT]";
  return [
    signingRoute("refered", `${OPEN}, ${cors}, referer: { refererList: ["http://shop.page.test"] }`),
    signingRoute("linked", `allow: { ${LINKS} }, ${cors}`),
    signingRoute("limited", `${OPEN}, ${cors}, limits: { perClient: { requests: 0.1/s, burst: 1 } }`),
    signingRoute("networks", `allow: { clients: [192.0.2.0/24] }, ${cors}`),
    signingRoute("small", `${OPEN}, ${cors}, ${with405}, limits: { bodySize: 64KiB }`),
    signingRoute("nowhere", `${OPEN}, ${cors}`).replace("bucket: one", "bucket: nowhere"),
  ].join("");
}

interface Row {
  readonly claim: string;
  readonly question: (stage: Stage) => Question;
  readonly status: number;
  /** OSS's name for the case. */
  readonly code: string;
  /** The gateway's own; `null`: the answer is OSS's. */
  readonly error: string | null;
}

const linked = (claims: Parameters<typeof linkOf>[2]): string => `/a.txt?${linkOf("linked", "/a.txt", claims)}`;

const ROWS: readonly Row[] = [
  {
    claim: "a Referer that is not listed",
    question: ({ at }) => ({ url: at("refered.test", "/a.txt") }),
    ...{ status: 403, code: "AccessDenied", error: "REFERER_DENIED" },
  },
  {
    claim: "a link that has expired",
    question: ({ at }) => ({ url: at("linked.test", linked({ expiresSeconds: inSeconds(-60) })) }),
    ...{ status: 403, code: "AccessDenied", error: "LINK_EXPIRED" },
  },
  {
    claim: "no link",
    question: ({ at }) => ({ url: at("linked.test", "/a.txt") }),
    ...{ status: 403, code: "AccessDenied", error: "LINK_REQUIRED" },
  },
  {
    claim: "a network that may not",
    question: ({ at }) => ({ url: at("networks.test", "/a.txt") }),
    ...{ status: 403, code: "AccessDenied", error: "CLIENT_NOT_ALLOWED" },
  },
  {
    claim: "a method that the route does not have",
    question: ({ at }) => ({ url: at("small.test", "/a.txt"), init: { method: "DELETE" } }),
    ...{ status: 405, code: "MethodNotAllowed", error: "METHOD_NOT_ALLOWED" },
  },
  {
    claim: "a body that is too large, while it is still sent",
    question: ({ at }) => ({
      url: at("small.test", "/a"),
      init: { method: "PUT", body: "x".repeat(8 * 1_024 * 1_024) },
    }),
    ...{ status: 413, code: "EntityTooLarge", error: "BODY_TOO_LARGE" },
  },
  {
    claim: "OSS that does not take connections",
    question: ({ at }) => ({ url: at("nowhere.test", "/a.txt") }),
    ...{ status: 502, code: "UpstreamRefused", error: "UPSTREAM_REFUSED" },
  },
  {
    claim: "OSS's own: no such key",
    question: ({ at }) => ({ url: at("small.test", "/none.txt") }),
    ...{ status: 404, code: "NoSuchKey", error: null },
  },
];

t.test("a page can read why it was refused", NEEDS_CHROMIUM, async (t) => {
  const moreBuckets = (): string =>
    `nowhere: { bucket: ${BUCKET}, region: cn-beijing, endpoint: "http://127.0.0.1:1" }`;
  const stage = await setStage(t, routes, { moreBuckets });
  const { emulator, at } = stage;
  emulator.putObject(BUCKET, "a.txt", "hello", { "Content-Type": "text/plain" });

  for (const { claim, question, status, code, error } of ROWS) {
    t.test(`${claim}: ${status} ${code}`, async (t) => {
      const [read, foreign] = await readOn(t, stage, { ...question(stage), headers: READ });
      t.match(read, { status, headers: { "x-ossgate-error": error, "x-oss-request-id": /^[0-9A-F]{24}$/i } });
      t.match(read, { text: `<Code>${code}</Code>` });
      t.strictSame(foreign, { refused: "TypeError" }, "a page that may not read answers may not read refusals");
    });
  }

  t.test(
    "over the rate: 429 and how long to wait; but a preflight that is refused is none that a page can read",
    async (t) => {
      await visit(t, stage.browser, async (page) => {
        await page.goto(`${stage.pages.origin(OUR_PAGE)}/probe`);
        const question = { url: at("limited.test", "/a.txt"), headers: READ };
        // Else the second comes from the browser's own cache.
        const init = { cache: "no-store" } as const;
        t.match(await askFrom(page, { ...question, init }), { status: 200, text: "hello" });
        const refused = await askFrom(page, { ...question, init });
        t.match(refused, { status: 429, headers: { "retry-after": /^[1-9]\d*$/, "x-ossgate-error": "RATE_LIMITED" } });
        t.match(refused, { text: /<Code>\w+<\/Code>/ });
        const headers = { "x-mine": "1" };
        t.strictSame(await askFrom(page, { ...question, init: { ...init, headers } }), { refused: "TypeError" });
      });
      const asked = await stage.gateway.logged(
        ({ method, host }) => method === "OPTIONS" && host.startsWith("limited"),
      );
      t.match(asked, { status: 429, error: "RATE_LIMITED" });
    },
  );
});

/** What a page of ours reads, and a foreign one. */
async function readOn(t: Test, { browser, pages }: Stage, question: Question): Promise<readonly Read[]> {
  const read: Read[] = [];
  await visit(t, browser, async (page) => {
    for (const host of [OUR_PAGE, FOREIGN_PAGE]) {
      await page.goto(`${pages.origin(host)}/probe`);
      read.push(await askFrom(page, question));
    }
  });
  return read;
}
