import fc from "fast-check";
import t from "tap";
import { headerValue, headerValues } from "../../../src/core/headers.js";
import { isActiveContent } from "../../../src/policy/active-content.js";
import {
  compileResponseRules,
  type ResponseFacts,
  type ResponseRules,
  type ResponseRulesOptions,
} from "../../../src/policy/response-rules.js";

const NOTHING: ResponseRulesOptions = {
  preview: false,
  sandboxesActiveContent: false,
  set: [],
  always: false,
  remove: [],
};

function rulesOf(options: Partial<ResponseRulesOptions>): ResponseRules {
  return compileResponseRules({ ...NOTHING, ...options }) as ResponseRules;
}

const answered = (status: number): ResponseFacts => ({ status, asksForDisposition: false });

function apply(options: Partial<ResponseRulesOptions>, headers: readonly string[], facts = answered(200)): string[] {
  return rulesOf(options).applyToUpstream([...headers], facts);
}

/** With a type, since none is active. */
const PNG = ["Content-Type", "image/png"];

t.test("a route that asks for nothing has no rules", async (t) => {
  t.equal(compileResponseRules(NOTHING), null);
  t.equal(compileResponseRules({ ...NOTHING, always: true }), null);
  for (const options of [
    { preview: true },
    { sandboxesActiveContent: true },
    { set: [["a", "b"]] as const },
    { remove: ["a"] },
  ])
    t.not(compileResponseRules({ ...NOTHING, ...options }), null);
});

const FORCED = ["x-oss-force-download", "true"];

t.test("preview takes back a download that OSS forced, and no other", async (t) => {
  const rows: readonly (readonly [name: string, headers: readonly string[], expected: readonly string[]])[] = [
    ["forced", ["Content-Disposition", "attachment", ...FORCED], ["inline"]],
    ["the flag first", [...FORCED, "content-disposition", "attachment"], ["inline"]],
    ["any case, spaces", ["Content-Disposition", " Attachment ", "X-Oss-Force-Download", "TRUE"], ["inline"]],
    ["without the flag", ["Content-Disposition", "attachment"], ["attachment"]],
    ["flag false", ["Content-Disposition", "attachment", "x-oss-force-download", "false"], ["attachment"]],
    ["flag empty", ["Content-Disposition", "attachment", "x-oss-force-download", ""], ["attachment"]],
    [
      "with a file name",
      ["Content-Disposition", "attachment; filename=a.png", ...FORCED],
      ["attachment; filename=a.png"],
    ],
    ["with an empty parameter", ["Content-Disposition", "attachment;", ...FORCED], ["attachment;"]],
    ["another word", ["Content-Disposition", "attachments", ...FORCED], ["attachments"]],
    [
      "said twice",
      ["Content-Disposition", "attachment", "Content-Disposition", "attachment", ...FORCED],
      ["attachment", "attachment"],
    ],
    ["none", FORCED, []],
    ["inline already", ["Content-Disposition", "inline", ...FORCED], ["inline"]],
  ];
  for (const [name, headers, expected] of rows) {
    t.strictSame(headerValues(apply({ preview: true }, [...PNG, ...headers]), "content-disposition"), expected, name);
  }
});

t.test("preview leaves alone what the client asked for, and routes without it everything", async (t) => {
  const headers = [...PNG, "Content-Disposition", "attachment", ...FORCED];
  t.strictSame(apply({ preview: true }, headers, { status: 200, asksForDisposition: true }), headers);
  t.strictSame(apply({ remove: ["other"] }, headers), headers);
});

t.test("preview touches no other line, its order and its case", async (t) => {
  const headers = ["ETag", '"a"', "CONTENT-disposition", "attachment", ...PNG, ...FORCED, "etag", '"b"'];
  const expected = headers.map((text) => (text === "attachment" ? "inline" : text));
  t.strictSame(apply({ preview: true }, headers), expected);
});

t.test("the flag counts where the route removes it from the answer", async (t) => {
  const headers = ["x-oss-force-download", "true", ...PNG, "Content-Disposition", "attachment"];
  const rules = { preview: true, remove: ["x-oss-force-download"] };
  t.strictSame(apply(rules, headers), [...PNG, "Content-Disposition", "inline"]);
});

const ACTIVE_TYPES = [
  "text/html",
  "TEXT/HTML",
  "text/html;charset=utf-8",
  "text/html ; charset=utf-8",
  " text/html",
  "\ttext/html",
  "text/html;",
  "application/xhtml+xml",
  "image/svg+xml",
  "image/svg+xml; charset=utf-8",
  "text/xml",
  "application/xml",
  "application/rss+xml",
  "application/mathml+xml",
  "application/anything.of.mine+XML",
  "text/xsl",
  "text/rdf",
  "multipart/x-mixed-replace; boundary=x",
  "multipart/related",
  "message/rfc822",
  "",
  " ",
  ";",
  "/",
  "text",
  "text/",
  "/html",
  "*/*",
  "unknown/unknown",
  "application/unknown",
  "image/png text/html",
  "image/png(text/html)",
  "image/png, text/html",
  "text/html, image/png",
  'image/png; name="a,b"',
  "image/png\u00a0",
  "\u00a0image/png",
  "\u000cimage/png",
  "ima ge/png",
  "image/png\u0000",
  "text/html/x",
  "text\\html",
  '"text/html"',
  "text/ſvg",
];

const QUIET_TYPES = [
  "image/png",
  "image/jpeg; quality=80",
  "IMAGE/WEBP",
  "image/xml-like",
  "text/plain",
  "text/plain; charset=utf-8",
  "text/css",
  "text/javascript",
  "application/javascript",
  "application/json",
  "application/octet-stream",
  "application/pdf",
  "application/vnd.apple.mpegurl",
  "application/zip",
  "application/wasm",
  "video/mp4",
  "text/xmlish",
  "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
  "font/woff2",
];

t.test("active is what a browser may run script of, or sniffs", async (t) => {
  for (const type of ACTIVE_TYPES) t.equal(isActiveContent(type), true, JSON.stringify(type));
  for (const type of QUIET_TYPES) t.equal(isActiveContent(type), false, JSON.stringify(type));
});

t.test("whatever stands around it, HTML is active", async (t) => {
  const parameter = fc.string().map((text) => `;${text}`);
  const blank = fc.constantFrom("", " ", "\t", " \t ");
  const html = fc.constantFrom("text/html", "Text/HTML", "image/svg+xml", "application/xml");
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(blank, html, blank, parameter, (before, type, after, rest) =>
        isActiveContent(before + type + after + rest),
      ),
    ),
  );
});

interface Protection {
  readonly nosniff: readonly string[];
  readonly csp: readonly string[];
}

const SANDBOXED: Protection = { nosniff: ["nosniff"], csp: ["sandbox"] };
const OPEN: Protection = { nosniff: [], csp: [] };

function protectionOf(headers: readonly string[]): Protection {
  return {
    nosniff: headerValues(headers, "x-content-type-options"),
    csp: headerValues(headers, "content-security-policy"),
  };
}

t.test("active content is sandboxed, other content is as it was", async (t) => {
  const rules = { sandboxesActiveContent: true };
  const rows: readonly (readonly [name: string, headers: readonly string[], expected: Protection])[] = [
    ["HTML", ["Content-Type", "text/html"], SANDBOXED],
    ["an image", PNG, OPEN],
    ["no type", ["ETag", '"a"'], SANDBOXED],
    ["two types", [...PNG, "content-type", "image/png"], SANDBOXED],
    ["a download of HTML", ["Content-Type", "text/html", "Content-Disposition", "attachment"], SANDBOXED],
  ];
  for (const [name, headers, expected] of rows) {
    const result = apply(rules, headers);
    t.strictSame(protectionOf(result), expected, name);
    t.strictSame(result.slice(0, headers.length), headers, `${name}: the rest stays`);
  }
  t.strictSame(protectionOf(apply({ preview: true }, ["Content-Type", "text/html"])), OPEN, "a trusted route");
});

t.test("errors are sandboxed like other documents, and what has no body only where it tells a type", async (t) => {
  const rules = { sandboxesActiveContent: true };
  const xml = ["Content-Type", "application/xml"];
  for (const status of [200, 203, 206, 301, 302, 304, 403, 404, 416, 500, 503]) {
    t.strictSame(protectionOf(apply(rules, xml, answered(status))), SANDBOXED, `${status} XML`);
    t.strictSame(protectionOf(apply(rules, PNG, answered(status))), OPEN, `${status} PNG`);
  }
  for (const status of [200, 206, 302, 404]) {
    t.strictSame(protectionOf(apply(rules, [], answered(status))), SANDBOXED, `${status} without a type`);
  }
  for (const status of [204, 304]) t.strictSame(protectionOf(apply(rules, [], answered(status))), OPEN, `${status}`);
});

t.test("the sandbox stands behind every other policy", async (t) => {
  const html = ["Content-Type", "text/html", "Content-Security-Policy", "sandbox allow-scripts"];
  const set = [["content-security-policy", "default-src 'self'; sandbox allow-scripts"]] as const;
  t.strictSame(headerValues(apply({ sandboxesActiveContent: true }, html), "content-security-policy"), [
    "sandbox allow-scripts",
    "sandbox",
  ]);
  const both = { sandboxesActiveContent: true, set };
  t.strictSame(headerValues(apply(both, html), "content-security-policy"), [set[0][1], "sandbox"]);
  t.strictSame(headerValues(apply(both, PNG), "content-security-policy"), [set[0][1]], "an image has the route's own");
  const removed = { sandboxesActiveContent: true, remove: ["content-security-policy", "x-content-type-options"] };
  t.strictSame(protectionOf(apply(removed, html)), SANDBOXED);
});

t.test("nosniff is said once, whatever else is said about sniffing", async (t) => {
  const html = ["X-Content-Type-Options", "sniff", "Content-Type", "text/html", "x-content-type-options", "nosniff"];
  t.strictSame(protectionOf(apply({ sandboxesActiveContent: true }, html)), SANDBOXED);
  const set = [["x-content-type-options", "please"]] as const;
  t.strictSame(protectionOf(apply({ sandboxesActiveContent: true, set }, html)), SANDBOXED);
});

t.test("the type that the client gets decides, not the one that OSS sent", async (t) => {
  const html = ["Content-Type", "text/html"];
  const sandboxesActiveContent = true;
  const toHtml = { sandboxesActiveContent, set: [["content-type", "text/html"]] as const };
  const toPng = { sandboxesActiveContent, set: [["Content-Type", "image/png"]] as const };
  t.strictSame(protectionOf(apply(toHtml, PNG)), SANDBOXED);
  t.strictSame(protectionOf(apply(toPng, html)), OPEN);
  t.strictSame(protectionOf(apply(toPng, html, answered(404))), SANDBOXED, "set is not for a 404");
  t.strictSame(protectionOf(apply({ ...toPng, always: true }, html, answered(404))), OPEN);
  t.strictSame(protectionOf(apply({ sandboxesActiveContent, remove: ["content-type"] }, PNG)), SANDBOXED);
});

t.test("set is for answers of an object, with always for all; remove is for all", async (t) => {
  const headers = ["Server", "AliyunOSS", "Cache-Control", "private", ...PNG];
  const options = { set: [["cache-control", "public, max-age=60"]] as const, remove: ["server"] };
  const withSet = [...PNG, "cache-control", "public, max-age=60"];
  for (const status of [200, 204, 206, 301, 302, 304]) {
    t.strictSame(apply(options, headers, answered(status)), withSet, `${status}`);
  }
  for (const status of [201, 203, 303, 307, 308, 400, 403, 404, 412, 416, 429, 500, 503]) {
    t.strictSame(apply(options, headers, answered(status)), ["Cache-Control", "private", ...PNG], `${status}`);
    t.strictSame(apply({ ...options, always: true }, headers, answered(status)), withSet, `${status}, always`);
  }
});

t.test("set replaces all lines of its name, also one that it removes, and keeps its own order", async (t) => {
  const headers = ["X-A", "1", "x-b", "2", "x-a", "3"];
  const set = [
    ["X-a", "4"],
    ["x-C", "5"],
  ] as const;
  t.strictSame(apply({ set }, headers), ["x-b", "2", "X-a", "4", "x-C", "5"]);
  t.strictSame(apply({ set, remove: ["x-a", "x-b"] }, headers), ["X-a", "4", "x-C", "5"]);
});

t.test("the gateway's own answers get what is always set, and nothing about their bodies", async (t) => {
  const set = [
    ["strict-transport-security", "max-age=1"],
    ["Cache-Control", "public"],
    ["content-type", "text/html"],
    ["Expires", "tomorrow"],
    ["ETag", '"a"'],
    ["x-a", "1"],
  ] as const;
  t.strictSame(rulesOf({ set, always: true }).forLocal, ["strict-transport-security", "max-age=1", "x-a", "1"]);
  t.strictSame(rulesOf({ set }).forLocal, []);
});

const NAMES = ["content-type", "Content-Disposition", "x-oss-force-download", "Content-Security-Policy", "x-a", "ETag"];
const VALUES = ["text/html", "image/png", "attachment", "true", "sandbox allow-scripts", ""];
const line = fc.tuple(fc.constantFrom(...NAMES), fc.constantFrom(...VALUES));

t.test("however lines are mixed, an active answer ends with the sandbox and no rule is left undone", async (t) => {
  const holds = fc.property(
    fc.array(line, { maxLength: 8 }),
    fc.array(line, { maxLength: 3 }),
    fc.subarray(NAMES),
    fc.boolean(),
    fc.constantFrom(200, 206, 304, 404),
    (lines, set, remove, always, status) => {
      const lowerNames = remove.map((name) => name.toLowerCase());
      const rules = { preview: true, sandboxesActiveContent: true, set, always, remove: lowerNames };
      const result = apply(rules, lines.flat(), answered(status));
      const types = headerValues(result, "content-type");
      const isActive = types.length === 0 ? status !== 304 : types.length > 1 || isActiveContent(types[0] as string);
      const isSet = always || status !== 404;
      const others = lines.filter(([name]) => !lowerNames.includes(name.toLowerCase())).map(([name]) => name);
      const setNames = isSet ? set.map(([name]) => name.toLowerCase()) : [];
      return (
        isActive === (result.at(-1) === "sandbox" && headerValue(result, "x-content-type-options") === "nosniff") &&
        others.every((name) => setNames.includes(name.toLowerCase()) || result.includes(name)) &&
        setNames.every((name) => headerValue(result, name) !== undefined)
      );
    },
  );
  t.doesNotThrow(() => fc.assert(holds, { numRuns: 1_000 }));
});
