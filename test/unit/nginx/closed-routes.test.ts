import t from "tap";
import { formatProblem, readConfig } from "../../../src/config/read-config.js";
import { convertConf } from "../../../src/nginx/convert.js";
import { formatFindings } from "../../../src/nginx/findings.js";
import { parseConf } from "../../../src/nginx/parse.js";

const PASS = "proxy_pass http://examplebucket.oss-cn-beijing-internal.aliyuncs.com;";

function convert(text: string) {
  const parsed = parseConf({ path: "nginx.conf", text }, () => "there is no such file");
  if (!parsed.ok) throw new Error(parsed.problem.message);
  const { yaml, findings } = convertConf(parsed.directives, { hosts: [] });
  const result = readConfig(yaml, "gateway.yaml");
  if (!result.ok) throw new Error(result.problems.map((problem) => formatProblem(problem)).join("\n"));
  const routes = result.config.routes.map(({ match, methods, deny }) => ({
    hosts: match.hosts.join(" "),
    methods,
    isClosed: deny.clients.includes("0.0.0.0/0"),
    deniedPaths: deny.paths,
  }));
  return { routes, report: formatFindings(findings).join("\n") };
}

const server = (body: string): string => `server { listen 80; server_name img.example.com; ${body} }`;

const CLOSED: readonly (readonly [claim: string, body: string, report: RegExp])[] = [
  [
    "a file of guards that cannot be read",
    `include snippets/blocked.conf; location / { ${PASS} }`,
    /include snippets\/blocked\.conf: not supported: there is no such file; the routes that it may have guarded are closed/,
  ],
  [
    "another method at OSS",
    `location / { proxy_method GET; ${PASS} }`,
    /proxy_method GET: not supported: .*the route is closed/,
  ],
  ["a firewall of another module", `waf on; location / { ${PASS} }`, /waf on: not supported: .*the route is closed/],
  [
    "ModSecurity as its second version has it",
    `location / { ModSecurityEnabled on; ${PASS} }`,
    /ModSecurityEnabled on: not supported/,
  ],
];

for (const [claim, body, report] of CLOSED) {
  t.test(`${claim}: the route comes out closed, and the report says so`, async (t) => {
    const converted = convert(server(body));
    t.match(converted.routes, [{ isClosed: true }]);
    t.match(converted.report, report);
  });
}

t.test("files that guard nothing close nothing where they cannot be read", async (t) => {
  const text = `include mime.types; ${server(`include /etc/letsencrypt/options-ssl-nginx.conf; location / { include proxy_params; ${PASS} }`)}`;
  t.match(convert(text).routes, [{ isClosed: false }]);
});

t.test("methods are refused as NGINX's expression finds them", async (t) => {
  const cases: readonly (readonly [condition: string, methods: readonly string[]])[] = [
    ['$request_method ~ "P"', ["GET", "HEAD", "DELETE"]],
    ["$request_method !~ ^(GET|HEAD)$", ["GET", "HEAD"]],
    ["$request_method !~ ^(?:GET|HEAD|POST)", ["GET", "HEAD", "POST"]],
    ["$request_method ~* (put|delete)", ["GET", "HEAD", "OPTIONS", "POST"]],
    ["$request_method ~ (put|delete)", ["GET", "HEAD", "OPTIONS", "PUT", "POST", "DELETE"]],
    ["$request_method = DELETE", ["GET", "HEAD", "OPTIONS", "PUT", "POST"]],
    ["$request_method != GET", ["GET"]],
  ];
  for (const [condition, expected] of cases) {
    const { routes } = convert(server(`location / { if (${condition}) { return 403; } ${PASS} }`));
    t.match(routes, [{ isClosed: false }], condition);
    t.same([...(routes[0]?.methods ?? [])].sort(), [...expected].sort(), condition);
  }
});

t.test("a client certificate that a server demands is not left out because another one asks less", async (t) => {
  const tls = (host: string, verify: string, body = PASS): string =>
    `server { listen 443 ssl; server_name ${host}; ssl_certificate /a.pem; ssl_certificate_key /a.key; ${verify} location / { ${body} } }`;
  const demand = "ssl_client_certificate /ca.pem; ssl_verify_client on;";
  const isClosed = (...servers: readonly string[]) => {
    const { routes } = convert(servers.join("\n"));
    return Object.fromEntries(routes.map((route) => [route.hosts, route.isClosed]));
  };
  t.same(isClosed(tls("a.test", demand)), { "a.test": false });
  t.same(isClosed(tls("a.test", demand), tls("b.test", demand)), { "a.test": false, "b.test": false });
  t.same(
    isClosed(tls("a.test", demand), tls("b.test", "ssl_client_certificate /ca.pem; ssl_verify_client optional;")),
    {
      "a.test": true,
      "b.test": false,
    },
  );
  t.same(isClosed(tls("a.test", demand), tls("b.test", demand.replace("/ca.pem", "/other.pem"))), {
    "a.test": true,
    "b.test": true,
  });
});

t.test("an expression that looks around is refused by one that finds more, where that is not everything", async (t) => {
  const cases: readonly (readonly [expression: string, deniedPaths: readonly string[], isClosed: boolean])[] = [
    ["/\\.(?!well-known)", ["/\\."], false],
    ["/\\.(?!well-known).*", ["/\\..*"], false],
    ["/\\.(?!well-known(?:/|$))", ["/\\."], false],
    ["(?<!a)\\.txt$", ["\\.txt$"], false],
    ["^/(?!img)", [], true],
    ["^/(?!a(b(c)))x", [], true],
    ["(?!a)*x", [], true],
  ];
  for (const [expression, deniedPaths, isClosed] of cases) {
    const { routes, report } = convert(server(`location / { ${PASS} } location ~ "${expression}" { deny all; }`));
    t.match(routes, [{ deniedPaths, isClosed }], expression);
    t.equal(/more is refused/.test(report), !isClosed, expression);
  }
});
