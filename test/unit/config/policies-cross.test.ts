import t from "tap";
import { type Lines, problemsOf, signedWith, warningsOf, withLines } from "./helpers.js";

/** Further keys of the first route of the good file; its bucket is on line 10, these from line 11 on. */
const relayed = (keys: string): string => withLines({ 10: `    bucket: media\n    ${keys}` });

/** The route that the gateway signs, for these members of `allow`; further keys from line 14 on. */
const signed = (allow: string, keys = ""): string => signedWith({ 13: `    allow: { ${allow} }`, 14: `    ${keys}` });

const CLIENTS = "clients: [10.0.0.0/8]";
const NO_EFFECT = "It has no effect";

const CALLBACK: Lines = {
  10: '    callback: { forward: "https://app.example.com/", buckets: [media], secret: { env: A } }',
  11: "",
  12: "",
};

for (const [key, value] of [
  ["preview", "false"],
  ["trusted", "true"],
  ["indexDocument", "index.html"],
  ["errorDocument", "404.html"],
  ["responseHeaders", "{ remove: [server] }"],
  ["referer", "{ refererList: ['*'] }"],
  ["cors", "{ rules: [{ allowedOrigins: ['*'], allowedMethods: [GET] }] }"],
  ["priority", "3"],
]) {
  t.test(`a callback route has no ${key}`, async (t) => {
    t.strictSame(problemsOf(signedWith({ ...CALLBACK, 13: `    ${key}: ${value}` })), [
      `g.yaml:13:5: routes[0].${key}: expected no ${key} with callback, found ${key}. The signature of OSS and the token in the URL decide here, and nothing goes to OSS. Take it out.`,
    ]);
  });
}

t.test("a callback route may have limits", async (t) => {
  t.strictSame(problemsOf(signedWith({ ...CALLBACK, 13: "    limits: { perClient: { requests: 5/s } }" })), []);
});

const REFUSED: readonly [claim: string, text: string, problems: readonly string[]][] = [
  [
    "the documents of a site in more than one bucket",
    withLines({ 10: "    buckets: [media, other]\n    indexDocument: index.html\n    errorDocument: 404.html" }),
    [
      "g.yaml:11:5: routes[0].indexDocument: expected bucket with indexDocument, found buckets. A site is in one bucket. Give it a route of its own.",
      "g.yaml:12:5: routes[0].errorDocument: expected bucket with errorDocument, found buckets. A site is in one bucket. Give it a route of its own.",
    ],
  ],
  [
    "the documents of a site that nobody can read",
    relayed("methods: [PUT, HEAD]\n    indexDocument: index.html\n    errorDocument: 404.html"),
    [
      "g.yaml:12:5: routes[0].indexDocument: expected GET with indexDocument, found PUT, HEAD. Documents are read with GET. Add it to methods, or take this out.",
      "g.yaml:13:5: routes[0].errorDocument: expected GET with errorDocument, found PUT, HEAD. Documents are read with GET. Add it to methods, or take this out.",
    ],
  ],
  [
    "referers in OSS's words and in NGINX's, every key that is too much",
    relayed("referer: { validReferers: [none], mode: report, refererList: [], strict: true }"),
    [
      "g.yaml:11:53: routes[0].referer.refererList: expected no refererList with validReferers, found refererList. It is OSS's, and validReferers is NGINX's: they decide differently. Take one of the two out.",
      "g.yaml:11:70: routes[0].referer.strict: expected no strict with validReferers, found strict. It is OSS's, and validReferers is NGINX's: they decide differently. Take one of the two out.",
    ],
  ],
  [
    "a referer twice",
    relayed("referer: { refererList: ['http://a', 'http://a'] }"),
    [
      'g.yaml:11:42: routes[0].referer.refererList[1]: expected each value once, found "http://a". It is the same as [0]. Take one out.',
    ],
  ],
  [
    "one header in two spellings",
    relayed("responseHeaders: { set: { X-A: b, x-a: c } }"),
    [
      'g.yaml:11:39: routes[0].responseHeaders.set.x-a: expected each header once, found "x-a". It is the same as "X-A". Take one out.',
    ],
  ],
  [
    "CORS by rules and by hand",
    relayed(
      "cors: { rules: [{ allowedOrigins: ['*'], allowedMethods: [GET] }] }\n    responseHeaders: { set: { Access-Control-Allow-Origin: '*' } }",
    ),
    [
      'g.yaml:12:31: routes[0].responseHeaders.set.Access-Control-Allow-Origin: expected no Access-Control headers with cors, found "Access-Control-Allow-Origin". A browser refuses an answer that has it twice. Say it in cors, or take it out.',
    ],
  ],
  [
    "removing what cors says",
    relayed(
      "cors: { rules: [{ allowedOrigins: ['*'], allowedMethods: [GET] }] }\n    responseHeaders: { remove: [server, Access-Control-Allow-Credentials] }",
    ),
    [
      `g.yaml:12:41: routes[0].responseHeaders.remove[1]: expected no Access-Control headers with cors, found "Access-Control-Allow-Credentials". OSS's own are taken out in any case, and those of cors come behind. Say it in cors, or take it out.`,
    ],
  ],
  [
    "an authority for a service without TLS",
    signed("forwardAuth: { url: 'http://a.test/', caFile: ca.pem }"),
    [
      'g.yaml:13:60: routes[0].allow.forwardAuth.caFile: expected no caFile with an http URL, found "ca.pem". There is no TLS for it. Take it out, or write https:// in url.',
    ],
  ],
  [
    "credentials for everybody, in the second rule too",
    relayed(
      "cors: { allowCredentials: true, rules: [{ allowedOrigins: ['https://a.com', '*'], allowedMethods: [GET] }, { allowedOrigins: ['null'], allowedMethods: [GET] }] }",
    ),
    [
      'g.yaml:11:81: routes[0].cors.rules[0].allowedOrigins[1]: expected origins of your own sites with allowCredentials: true, found "*". Any site can have this one, and would read what its visitors may read here. Name the sites.',
      'g.yaml:11:131: routes[0].cors.rules[1].allowedOrigins[0]: expected origins of your own sites with allowCredentials: true, found "null". Any site can have this one, and would read what its visitors may read here. Name the sites.',
    ],
  ],
  [
    "members of allow, of which logins are two",
    signed("basic: { file: a }, forwardAuth: { url: 'http://a.test/' }"),
    [
      "g.yaml:8:5: routes[0].satisfy: expected any or all, found no such key. allow has basic, forwardAuth: is one of them enough, or is every one needed?",
    ],
  ],
  [
    "everybody, and who has a password",
    signed("anyone: true, basic: { file: a }", "satisfy: any"),
    [
      "g.yaml:13:22: routes[0].allow.anyone: expected anyone alone, found anyone with basic. Everybody includes the others. Take anyone out, or the others.",
    ],
  ],
  [
    "a header of forwardAuth twice",
    signed("forwardAuth: { url: 'http://a.test/', requestHeaders: [cookie, Cookie] }"),
    [
      'g.yaml:13:77: routes[0].allow.forwardAuth.requestHeaders[1]: expected each value once, found "Cookie". It is the same as [0]. Take one out.',
    ],
  ],
];

for (const [claim, text, problems] of REFUSED) {
  t.test(`${claim}: refused at its place`, async (t) => {
    t.strictSame(problemsOf(text), problems);
  });
}

const credentialed = (origin: string): string =>
  relayed(`cors: { allowCredentials: true, rules: [{ allowedOrigins: ["${origin}"], allowedMethods: [GET] }] }`);

for (const origin of [
  "*",
  "null",
  "http*",
  "https://*",
  "https://*:8443",
  "https://*.com",
  "*.com",
  "https://www.*",
  "https://www.example.com*",
  "https://*example.com",
  "https://www.exam*.com",
  "https://10.0.0.*",
  "https://*.0.0.1",
  "*://*",
]) {
  t.test(`credentials are not for ${origin}, which any site can have`, async (t) => {
    t.match(problemsOf(credentialed(origin)), [/allowedOrigins\[0\]: expected /]);
  });
}

for (const origin of [
  "https://www.example.com",
  "https://*.example.com",
  "https://*.example.com:8443",
  "*.example.com",
  "http*://www.example.com",
  "*://localhost:3000",
  "https://www.example.com:*",
  "http://[::1]:*",
]) {
  t.test(`credentials may be for ${origin}`, async (t) => {
    t.strictSame(problemsOf(credentialed(origin)), []);
  });
}

const site = (keys: string): string => relayed(`indexDocument: index.html\n    ${keys}`);
const cached = (value: string): string => `responseHeaders: { set: { Cache-Control: "${value}" } }`;
const CACHED = "A shared cache on the way would answer without asking the gateway. Write private instead of public.";
const AT_CACHED = "responseHeaders.set.Cache-Control: warning: expected caching by browsers alone, because of";
const DISPOSITION =
  "As it is, HTML and SVG of the bucket can run script on this host; preview shows them in a sandbox.";
const AUTHORIZATION =
  "Authorization has room for a password or for OSS's signature, not for both: only presigned URLs can pass here.";
const NAMED = "cors: { rules: [{ allowedOrigins: ['https://a.com'], allowedMethods: [GET] }] }";
const REFERER = "expected a referer that begins with https://, http:// or *";
/** The column of PUT in the second of two rules. */
const PUT_AT = 119;
const SCHEME = "Browsers send the scheme too, so this matches nothing that they send.";

/** One row each for what is warned about, and for what is near it and is not. */
const WARNED: readonly [claim: string, text: string, warnings: readonly string[]][] = [
  [
    "preview where OSS sees a domain",
    relayed("hostHeader: img.example.com\n    preview: true"),
    [
      `g.yaml:12:14: routes[0].preview: warning: expected preview with hostHeader: bucket, found hostHeader: img.example.com. ${NO_EFFECT}: OSS forces no download where it sees a domain of yours.`,
    ],
  ],
  [
    "preview where OSS sees the client's host",
    relayed("hostHeader: client\n    preview: true"),
    [
      `g.yaml:12:14: routes[0].preview: warning: expected preview with hostHeader: bucket, found hostHeader: client. ${NO_EFFECT}: OSS forces no download where it sees a domain of yours.`,
    ],
  ],
  [
    "trust where nothing is in a sandbox",
    relayed("trusted: true"),
    [
      `g.yaml:11:14: routes[0].trusted: warning: expected preview: true with trusted, or a domain as hostHeader, found neither. ${NO_EFFECT}: nothing is put into a sandbox here.`,
    ],
  ],
  ["trust with a domain", relayed("hostHeader: img.example.com\n    trusted: true"), []],
  ["trust with preview", relayed("preview: true\n    trusted: true"), []],
  ["preview alone", relayed("preview: true"), []],
  [
    "a site that browsers save",
    site(""),
    [
      'g.yaml:11:20: routes[0].indexDocument: warning: expected preview: true with indexDocument, or a domain as hostHeader, found "index.html". As it is, OSS has browsers save the pages instead of showing them.',
    ],
  ],
  [
    "a site without script",
    site("preview: true"),
    [
      'g.yaml:11:20: routes[0].indexDocument: warning: expected trusted: true with indexDocument, found "index.html". As it is, pages of the bucket run no script. trusted: true lets them, where nobody uploads but you.',
    ],
  ],
  ["a site with preview", site("preview: true\n    trusted: true"), []],
  ["a site with a domain", site("hostHeader: img.example.com\n    trusted: true"), []],
  [
    "showing what OSS has saved, by removing the header",
    relayed("responseHeaders: { remove: [server, Content-Disposition] }"),
    [
      `g.yaml:11:41: routes[0].responseHeaders.remove[1]: warning: expected preview: true instead, found "Content-Disposition". ${DISPOSITION}`,
    ],
  ],
  [
    "showing what OSS has saved, by setting the header",
    relayed("responseHeaders: { set: { Content-Disposition: inline } }"),
    [
      `g.yaml:11:52: routes[0].responseHeaders.set.Content-Disposition: warning: expected preview: true instead, found "inline". ${DISPOSITION}`,
    ],
  ],
  ["the same with a sandbox", relayed("preview: true\n    responseHeaders: { remove: [Content-Disposition] }"), []],
  ["having everything saved", relayed("responseHeaders: { set: { Content-Disposition: attachment } }"), []],
  [
    "always without anything to set",
    relayed("responseHeaders: { always: true }"),
    [
      `g.yaml:11:32: routes[0].responseHeaders.always: warning: expected set with always, found true. ${NO_EFFECT} without it.`,
    ],
  ],
  [
    "public caching of what is signed",
    signed(CLIENTS, cached("public, max-age=60")),
    [`g.yaml:14:46: routes[0].${AT_CACHED} auth: sign, allow.clients, found "public, max-age=60". ${CACHED}`],
  ],
  [
    "public caching in capitals, by s-maxage, and beside every other check",
    signed(
      "links: { secret: { env: A } }, basic: { file: a }, forwardAuth: { url: 'http://a.test/' }, signatures: true",
      `satisfy: any\n    clientSignatures: verify\n    ${cached("S-MaxAge = 5")}`,
    ),
    [
      `g.yaml:16:46: routes[0].${AT_CACHED} auth: sign, allow.links, allow.signatures, allow.basic, allow.forwardAuth, found "S-MaxAge = 5". ${CACHED}`,
    ],
  ],
  [
    "public caching past a referer policy",
    relayed(`referer: { refererList: ['*a.com'] }\n    ${cached("max-age=60,public")}`),
    [`g.yaml:12:46: routes[0].${AT_CACHED} referer, found "max-age=60,public". ${CACHED}`],
  ],
  [
    "public caching past clients that may not",
    relayed(`deny: { clients: [10.0.0.1] }\n    ${cached("public")}`),
    [`g.yaml:12:46: routes[0].${AT_CACHED} deny.clients, found "public". ${CACHED}`],
  ],
  ["public caching of what everybody may see", relayed(cached("public, max-age=60")), []],
  ["private caching of what is signed", signed(CLIENTS, cached("private, max-age=60")), []],
  ["a word that only ends like public", signed(CLIENTS, cached("x-nonpublic=1")), []],
  [
    "no empty Referer, and no list of others",
    relayed("referer: { allowEmptyReferer: false, refererBlacklist: ['http://bad.com'] }"),
    [
      "g.yaml:11:35: routes[0].referer.allowEmptyReferer: warning: expected a refererList with allowEmptyReferer: false, found an empty one. As at OSS, it has no effect then: requests without a Referer pass.",
    ],
  ],
  [
    "a referer policy that refuses nobody",
    relayed("referer: { mode: report }"),
    [
      "g.yaml:11:5: routes[0].referer: warning: expected refererList, refererBlacklist or validReferers, found none of them. As it is, every Referer passes.",
    ],
  ],
  ["a referer policy with a blacklist alone", relayed("referer: { refererBlacklist: ['*bad.com'] }"), []],
  ["a referer policy of NGINX", relayed("referer: { validReferers: [none, '*.a.com'] }"), []],
  [
    "referers without a scheme",
    relayed("referer: { refererList: ['a.com', '*.a.com', 'http*', '?ttp://a.com'], refererBlacklist: ['www.*.com'] }"),
    [
      `g.yaml:11:30: routes[0].referer.refererList[0]: warning: expected a referer that begins with https://, http:// or *, found "a.com". ${SCHEME}`,
      `g.yaml:11:95: routes[0].referer.refererBlacklist[0]: warning: expected a referer that begins with https://, http:// or *, found "www.*.com". ${SCHEME}`,
    ],
  ],
  [
    "OPTIONS beside rules that answer it",
    relayed("methods: [GET, OPTIONS]\n    cors: { rules: [{ allowedOrigins: ['*'], allowedMethods: [GET] }] }"),
    [
      'g.yaml:11:20: routes[0].methods[1]: warning: expected methods without OPTIONS, because of cors, found "OPTIONS". Preflights are answered here where cors is set. Take OPTIONS out.',
    ],
  ],
  [
    "CORS for methods that the route has not",
    relayed(
      "cors: { rules: [{ allowedOrigins: ['*'], allowedMethods: [GET] }, { allowedOrigins: ['*'], allowedMethods: [HEAD, PUT, DELETE] }] }",
    ),
    [
      `g.yaml:11:${PUT_AT}: routes[0].cors.rules[1].allowedMethods[1]: warning: expected methods of the route, found "PUT". Preflights would say yes, and the requests get 405. Add PUT to the route's methods, or take it out here.`,
      `g.yaml:11:${PUT_AT + 5}: routes[0].cors.rules[1].allowedMethods[2]: warning: expected methods of the route, found "DELETE". Preflights would say yes, and the requests get 405. Add DELETE to the route's methods, or take it out here.`,
    ],
  ],
  [
    "CORS for the methods of the route",
    relayed("methods: [GET, PUT]\n    cors: { rules: [{ allowedOrigins: ['*'], allowedMethods: [PUT, GET] }] }"),
    [],
  ],
  [
    "Vary of one's own where answers depend on the origin",
    relayed(`${NAMED}\n    responseHeaders: { set: { Vary: Accept }, remove: [vary] }`),
    [
      'g.yaml:12:37: routes[0].responseHeaders.set.Vary: warning: expected Origin in Vary, because of cors, found "Accept". cors adds Vary: Origin behind it, so that caches keep origins apart.',
      `g.yaml:12:56: routes[0].responseHeaders.remove[0]: warning: expected no vary in remove, because of cors, found "vary". OSS's own goes, and cors adds Vary: Origin behind it, so that caches keep origins apart.`,
    ],
  ],
  ["Vary that names the origin", relayed(`${NAMED}\n    responseHeaders: { set: { vary: 'Accept, origin' } }`), []],
  [
    "a Vary that only begins like it",
    relayed(`${NAMED}\n    responseHeaders: { set: { vary: Origin-Agent } }`),
    [
      'g.yaml:12:37: routes[0].responseHeaders.set.vary: warning: expected Origin in Vary, because of cors, found "Origin-Agent". cors adds Vary: Origin behind it, so that caches keep origins apart.',
    ],
  ],
  [
    "Vary where answers depend on no origin",
    relayed(
      "cors: { rules: [{ allowedOrigins: ['*'], allowedMethods: [GET] }] }\n    responseHeaders: { set: { vary: Accept }, remove: [vary] }",
    ),
    [],
  ],
  [
    "Vary where answers shall say it in any case",
    relayed(
      "cors: { responseVary: true, rules: [{ allowedOrigins: ['*'], allowedMethods: [GET] }] }\n    responseHeaders: { remove: [vary] }",
    ),
    [
      `g.yaml:12:33: routes[0].responseHeaders.remove[0]: warning: expected no vary in remove, because of cors, found "vary". OSS's own goes, and cors adds Vary: Origin behind it, so that caches keep origins apart.`,
    ],
  ],
  ["Vary without cors", relayed("responseHeaders: { set: { vary: Accept }, remove: [vary] }"), []],
  [
    "NGINX's words in OSS's lists",
    relayed("referer: { refererList: [none, '*.example.com', blocked], refererBlacklist: [server_names] }"),
    [
      `g.yaml:11:30: routes[0].referer.refererList[0]: warning: ${REFERER}, found "none". none is a word of NGINX's and matches nothing here: write the list as validReferers, or allowEmptyReferer: true instead of it.`,
      `g.yaml:11:53: routes[0].referer.refererList[2]: warning: ${REFERER}, found "blocked". blocked is a word of NGINX's and matches nothing here: write the list as validReferers.`,
      `g.yaml:11:82: routes[0].referer.refererBlacklist[0]: warning: ${REFERER}, found "server_names". server_names is a word of NGINX's validReferers and matches nothing here.`,
    ],
  ],
  ["OPTIONS that OSS answers", relayed("methods: [GET, OPTIONS]"), []],
  [
    "referers and CORS together",
    relayed("referer: { refererList: ['*'] }\n    cors: { rules: [{ allowedOrigins: ['*'], allowedMethods: [GET] }] }"),
    [],
  ],
  [
    "a password and a relayed signature, both needed",
    signed(`basic: { file: a }, ${CLIENTS}`, "satisfy: all\n    clientSignatures: relay"),
    [
      `g.yaml:15:23: routes[0].clientSignatures: warning: expected another clientSignatures with allow.basic, found "relay". ${AUTHORIZATION}`,
    ],
  ],
  [
    "a password as the only way in, and a relayed signature",
    signed("basic: { file: a }", "clientSignatures: relay"),
    [
      `g.yaml:14:23: routes[0].clientSignatures: warning: expected another clientSignatures with allow.basic, found "relay". ${AUTHORIZATION}`,
    ],
  ],
  [
    "a service that asks for Authorization, and a signature",
    signed("forwardAuth: { url: 'http://a.test/' }, signatures: true", "satisfy: all\n    clientSignatures: verify"),
    [
      `g.yaml:15:23: routes[0].clientSignatures: warning: expected another clientSignatures with allow.forwardAuth, found "verify". ${AUTHORIZATION}`,
    ],
  ],
  [
    "a service that asks for cookies, and a signature",
    signed(
      "forwardAuth: { url: 'http://a.test/', requestHeaders: [cookie] }, signatures: true",
      "satisfy: all\n    clientSignatures: verify",
    ),
    [],
  ],
  [
    "a password or a signature",
    signed("basic: { file: a }, signatures: true", "satisfy: any\n    clientSignatures: verify"),
    [],
  ],
  ["a password and no signatures", signed("basic: { file: a }"), []],
  ["an authority for a service with TLS", signed("forwardAuth: { url: 'https://a.test/', caFile: ca.pem }"), []],
  [
    "segments that are listed and playlists",
    signed(
      "links: { secret: { env: A } }",
      "hls: { mode: rewrite }\n    preview: true\n    trusted: true\n    indexDocument: index.html",
    ),
    [],
  ],
];

for (const [claim, text, warnings] of WARNED) {
  t.test(`${claim}: ${warnings.length === 0 ? "no warning" : "a warning, and no reason to refuse"}`, async (t) => {
    t.strictSame(problemsOf(text), []);
    t.strictSame(warningsOf(text), warnings);
  });
}
