import fc from "fast-check";
import t from "tap";
import { formatProblem, readConfig } from "../../../src/config/read-config.js";
import { convertConf } from "../../../src/nginx/convert.js";
import { formatConfProblem, formatFinding } from "../../../src/nginx/findings.js";
import { parseConf } from "../../../src/nginx/parse.js";

const noIncludes = (): string => "there is no such file";

function convert(text: string, hosts: readonly string[] = []) {
  const parsed = parseConf({ path: "nginx.conf", text }, noIncludes);
  return parsed.ok ? convertConf(parsed.directives, { hosts }) : parsed.problem;
}

/** Pieces that NGINX's grammar and this conversion look at. */
const PIECES = [
  ..."{};#\"'\\$~^=()|*.:/ \n\t%[]".split(""),
  ...["server", "location", "http", "if", "map", "upstream", "set", "include", "rewrite", "return", "proxy_pass"],
  ...[
    "$host",
    "${",
    ["$", "{host}"].join(""),
    "$bucket",
    "http://b.oss-cn-x-internal.aliyuncs.com",
    "https://",
    "example.com",
    "\u0000",
    "é",
    "\ufeff",
  ],
  ...["content_by_lua_block", "[[", "]]", "--", "listen", "80", "443 ssl", "unix:/x", "[::]:80", "server_name", "_"],
];

t.test("no text makes it throw, and what it says is one line without control characters", async () => {
  const text = fc.array(fc.constantFrom(...PIECES), { maxLength: 80 }).map((pieces) => pieces.join(""));
  fc.assert(
    fc.property(fc.oneof(text, fc.string({ unit: "binary", maxLength: 200 })), (conf) => {
      const result = convert(conf);
      const lines = "yaml" in result ? result.findings.map(formatFinding) : [formatConfProblem(result)];
      return lines.every((line) => !/[\p{Cc}\p{Zl}\p{Zp}]/u.test(line));
    }),
    { numRuns: 1_000 },
  );
});

const value = (...texts: readonly string[]): fc.Arbitrary<string> => fc.constantFrom(...texts);
const joined = (name: string, ...parts: readonly fc.Arbitrary<string>[]): fc.Arbitrary<string> =>
  fc.tuple(...parts).map((words) => `${name} ${words.filter((word) => word !== "").join(" ")};`);

const HOSTS = [
  "img.example.com",
  "*.example.com",
  ".example.org",
  "_",
  "47.0.2.74",
  "~^(.+)\\.x\\.com$",
  "www.*",
  "examplebucket.oss-cn-beijing.aliyuncs.com",
  '""',
  "EXAMPLE.com",
  "-bad-",
  "$hostname",
];
const URLS = [
  "http://examplebucket.oss-cn-beijing-internal.aliyuncs.com",
  "https://examplebucket.oss-cn-beijing.aliyuncs.com:443",
  "http://other-bucket.oss-cn-hangzhou-internal.aliyuncs.com:8080/",
  "http://$host.oss-cn-beijing.aliyuncs.com",
  "https://$bucket.oss-cn-beijing-internal.aliyuncs.com$request_uri",
  "http://backend",
  "http://backend/pre/fix",
  "http://addresses/",
  "http://127.0.0.1:3000",
  "http://img.bound.example.net/x/../y",
  "http://oss-cn-beijing.aliyuncs.com",
  "https://b23.oss-accelerate.aliyuncs.com",
  "http://b23.vpc100-oss-cn-beijing.aliyuncs.com",
  "http://b23.cn-beijing.oss.aliyuncs.com",
  "http://100.100.100.200",
  "http://[::1]:80",
  "http://b23.oss-cn-hzfinance.aliyuncs.com/%zz",
  "ftp://x",
  "$scheme://b23.oss-cn-beijing.aliyuncs.com$uri$is_args$args",
];

const directive = fc.oneof(
  joined(
    "proxy_set_header Host",
    value(
      "$host",
      "$http_host",
      "$proxy_host",
      "examplebucket.oss-cn-beijing.aliyuncs.com",
      "img.bound.example.com",
      "47.0.2.74",
      '""',
      "$unknown",
      "a b",
      "$bucket.oss-cn-beijing.aliyuncs.com",
    ),
  ),
  joined(
    "proxy_set_header",
    value("Cookie", "Authorization", "X-Real-IP", "Head", "X-Odd"),
    value('""', "$host", "x", "$http_cookie"),
  ),
  joined(
    "add_header",
    value(
      "Access-Control-Allow-Origin",
      "Access-Control-Allow-Methods",
      "Access-Control-Allow-Headers",
      "Access-Control-Max-Age",
      "Access-Control-Allow-Credentials",
      "X-A",
      "x-a",
      "Cache-Control",
      "ETag",
      "Strict-Transport-Security",
      "__proto__",
    ),
    value(
      "*",
      "$http_origin",
      "https://www.example.com",
      "https://WWW.example.com/",
      '"GET, POST, PATCH"',
      "true",
      "1728000",
      "max-age=1",
      '"a;b"',
      '"é"',
      '""',
    ),
    value("", "always"),
  ),
  joined("allow", value("10.0.0.0/8", "all", "192.0.2.1", "::1", "unix:", "x")),
  joined("deny", value("10.0.0.1", "all", "0.0.0.0/0", "300.1.1.1")),
  joined("auth_basic", value('"a realm"', "off", '"q\\"uote"', '"é"')),
  joined("auth_basic_user_file", value("/etc/x", "conf/$host")),
  joined("auth_request", value("/auth", "off", "/none")),
  joined("secure_link", value("$arg_md5,$arg_expires", "$arg_a", "$arg_x,$arg_x")),
  joined("secure_link_md5", value('"$secure_link_expires$uri secret"', '"$uri"', '"a$uri$secure_link_expires b"')),
  joined("satisfy", value("any", "all")),
  joined(
    "valid_referers",
    value("none", "blocked", "server_names", "*.example.com", "~(", "~x", "*"),
    value("", "none", "a.b", "example.*"),
  ),
  joined(
    "limit_req",
    value("zone=one", "zone=two", "zone=no"),
    value("", "burst=5", "burst=99999999"),
    value("", "nodelay"),
  ),
  joined("limit_conn", value("one", "two"), value("5", "0", "x")),
  joined("limit_rate", value("500k", "1", "0", "$rate", "99999g")),
  joined("client_max_body_size", value("1m", "0", "9999999g", "x", "100m")),
  joined("proxy_read_timeout", value("60", "1h", "0", "x", "999999999d")),
  joined("proxy_connect_timeout", value("1ms", "5s")),
  joined(
    "proxy_hide_header",
    value("Server", "x-oss-object-type", "Content-Type", "Content-Length", "x a", "Access-Control-Allow-Origin"),
  ),
  joined("expires", value("30d", "max", "-1", "epoch", "off", "$e", "modified +1h")),
  joined(
    "rewrite",
    value(
      "^/media/(.*)$ /$1 break",
      "^/(.*)$ /pre/$1 break",
      "^(.*)$ /a$1",
      "^/$ /index.html",
      "^(.*)/$ $1/index.htm",
      "^ https://$host$request_uri? permanent",
      "^/x$ /../y last",
      "(",
    ),
  ),
  joined(
    "return",
    value(
      "301 https://$host$request_uri",
      "403",
      "200 ok",
      "https://other.example.com/",
      "301 https://$host:8443$request_uri",
    ),
  ),
  joined(
    "listen",
    value(
      "80",
      "443 ssl",
      "443 ssl http2 default_server",
      "[::]:80",
      "[::]:443 ssl",
      "127.0.0.1:80",
      "unix:/x",
      "9180",
      "8080 proxy_protocol",
      "*:81",
      "localhost",
      "99999",
    ),
  ),
  joined("server_name", value(...HOSTS), value("", ...HOSTS)),
  joined("ssl_certificate", value("/c.pem", "$c")),
  joined("ssl_certificate_key", value("/k.pem", "data:x")),
  joined("ssl_protocols", value("TLSv1 TLSv1.2", "TLSv1.3")),
  joined("ssl_client_certificate", value("/ca.pem")),
  joined("ssl_verify_client", value("on", "optional", "off", "optional_no_ca")),
  joined("resolver", value("100.100.2.136 valid=1s", "[::1]:53", "dns.example.com", "127.0.0.11 valid=10s ipv6=off")),
  joined("set", value("$bucket examplebucket", "$bucket $bucket", "$a $b", "$b $a")),
  joined("proxy_ssl_trusted_certificate", value("/ca.pem", "/etc/ssl/certs/ca-certificates.crt")),
  joined(
    "if",
    value(
      "($invalid_referer) { return 403; }",
      "($request_method = OPTIONS) { add_header Access-Control-Max-Age 9; return 204; }",
      "($request_method !~ ^(GET|HEAD)$) { return 405; }",
      "($request_method = GET) { return 403; }",
      '($secure_link = "") { return 403; }',
      "($scheme = http) { return 301 https://$host$request_uri; }",
      "($x) { return 403; }",
      "($http_user_agent ~ bot) { return 403; }",
      "($host = a.b) { return 301 https://$host$request_uri; }",
      "($ssl_client_verify != SUCCESS) { return 403; }",
    ),
  ).map((text) => text.slice(0, -1)),
  joined(
    "limit_except",
    value("GET { deny all; }", "GET POST { allow 10.0.0.0/8; deny all; }", "PATCH { deny all; }"),
  ).map((text) => text.slice(0, -1)),
  joined("internal"),
  joined("root", value("/var/www")),
  joined("access_by_lua_block", value('{ if x == "}" then end }')).map((text) => text.slice(0, -1)),
);

const location = fc
  .tuple(
    value(
      "/",
      "/media",
      "/media/",
      "= /auth",
      "= /x",
      "^~ /static/",
      "~ \\.jpg$",
      "~* ^/img/(.*)$",
      "@named",
      "/%zz",
      "/a/../b",
      "/.well-known/acme-challenge/",
      '"/with space"',
    ),
    fc.option(value(...URLS)),
    fc.array(directive, { maxLength: 6 }),
  )
  .map(([path, url, inside]) => `location ${path} { ${url === null ? "" : `proxy_pass ${url};`} ${inside.join(" ")} }`);

const server = fc
  .tuple(fc.array(directive, { maxLength: 6 }), fc.array(location, { minLength: 1, maxLength: 4 }))
  .map(([inside, locations]) => `server { ${inside.join(" ")} ${locations.join(" ")} }`);

const conf = fc.tuple(fc.array(directive, { maxLength: 3 }), fc.array(server, { minLength: 1, maxLength: 3 })).map(
  ([inside, servers]) => `
user nobody; worker_processes 4;
http {
  limit_req_zone $binary_remote_addr zone=one:10m rate=10r/s;
  limit_req_zone $server_name zone=two:10m rate=1r/m;
  limit_conn_zone $binary_remote_addr zone=one:10m; limit_conn_zone $host zone=two:1m;
  map $host $bucket { hostnames; default examplebucket; img.example.com b-one; *.example.com b-two; ~^x y; }
  upstream backend { server examplebucket.oss-cn-beijing-internal.aliyuncs.com; server 10.0.0.1 backup; keepalive 8; }
  upstream addresses { server 10.0.0.1:8080; server 10.0.0.2:8080; }
  ${inside.join("\n")} ${servers.join("\n")}
}`,
);

t.test("whatever it makes of a configuration with a route is a configuration without problems", async () => {
  fc.assert(
    fc.property(conf, (text) => {
      const result = convert(text, ["given.example.com"]);
      if (!("yaml" in result)) throw new Error(formatConfProblem(result));
      if (result.routeCount === 0) return;
      const read = readConfig(result.yaml, "out.yaml");
      if (!read.ok)
        throw new Error(`${read.problems.map((problem) => formatProblem(problem)).join("\n")}\n${result.yaml}`);
    }),
    { numRuns: 300 },
  );
});
