import t from "tap";
import { startEmulator, startGateway } from "../support/gateway.js";
import { valuesOf } from "../support/raw-client.js";
import { BUCKET, REGION, relay } from "../support/relay-world.js";
import { ask, LINKS, signingRoute, startSigning } from "../support/sign-world.js";

const PAGE = "<script>parent.stolen = document.cookie</script>";

t.test("a playlist that is stored as a page and carries script is no page to a browser", async (t) => {
  const vod = `allow: { clients: [127.0.0.1], ${LINKS} }, satisfy: any, hls: { mode: rewrite, root: "/" }`;
  const named = (name: string, rest = ""): string => signingRoute(name, vod + rest);
  const routes =
    named("plain") +
    named("typed", ", responseHeaders: { set: { content-type: text/plain } }") +
    named(
      "html",
      ", responseHeaders: { set: { Content-Type: text/html, x-content-type-options: none }, always: true }",
    ) +
    named("shown", ", preview: true");
  const world = await startSigning(t, routes);
  const body = `#EXTM3U\n#${PAGE}\n#EXTINF:1,\nseg.ts\n`;
  const types = [
    "text/html",
    "image/svg+xml",
    "application/xml",
    "text/html; charset=utf-8",
    "audio/mpegurl\t,text/html",
    "application/vnd.apple.mpegurl;a, text/html",
  ];
  for (const [i, type] of types.entries())
    world.emulator.putObject(BUCKET, `${i}.m3u8`, body, { "Content-Type": type });
  for (const name of ["plain", "typed", "html", "shown"]) {
    for (const i of types.keys()) {
      const { status, rawHeaders, text } = await ask(world, { host: `${name}.test`, target: `/${i}.m3u8` });
      t.equal(status, 200);
      t.match(text, PAGE, "comments pass");
      t.match(text, /^seg\.ts\?/m, "and it was rewritten");
      t.same(valuesOf(rawHeaders, "content-type"), ["application/vnd.apple.mpegurl"], `${name} ${types[i]}`);
      t.same(valuesOf(rawHeaders, "x-content-type-options"), ["nosniff"], `${name} ${types[i]}`);
    }
  }
});

t.test(
  "what is shown and not downloaded is sandboxed, also where the endpoint itself is the bound domain",
  async (t) => {
    const domain = "examplebucket.cdn.test";
    const oss = `${BUCKET}.oss-${REGION}.aliyuncs.com`;
    const emulator = await startEmulator(t);
    emulator.addBucket({ name: BUCKET, region: REGION, acl: "public-read", domains: [domain] });
    for (const [key, type] of [
      ["page", "text/html"],
      ["drawing", "image/svg+xml"],
      ["photo", "image/png"],
    ] as const)
      emulator.putObject(BUCKET, key, PAGE, { "Content-Type": type });
    const bucket = (host: string): string =>
      `{ bucket: ${BUCKET}, region: ${REGION}, endpoint: "http://${host}:${emulator.port}", dns: { addresses: [127.0.0.1] } }`;
    const gateway = await startGateway(
      t,
      `
listeners: [{ name: web, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
buckets:
  domain: ${bucket(domain)}
  oss: ${bucket(oss)}
routes:
  - { name: domain, match: { hosts: [domain.test] }, bucket: domain }
  - { name: trusted, match: { hosts: [trusted.test] }, bucket: domain, trusted: true }
  - { name: oss, match: { hosts: [oss.test] }, bucket: oss }
`,
    );
    const policies = async (host: string, key: string): Promise<readonly string[]> => {
      const { answer, capture } = await relay({ emulator, gateway }, { host, target: `/${key}` });
      t.equal(answer.status, 200);
      const sent = capture?.rawHeaders ?? [];
      t.match(valuesOf(sent, "host")[0], host === "oss.test" ? oss : domain);
      return [
        ...valuesOf(answer.rawHeaders, "content-security-policy"),
        ...valuesOf(answer.rawHeaders, "x-content-type-options"),
      ];
    };
    t.same(await policies("domain.test", "page"), ["sandbox", "nosniff"]);
    t.same(await policies("domain.test", "drawing"), ["sandbox", "nosniff"]);
    t.same(await policies("domain.test", "photo"), []);
    t.same(await policies("trusted.test", "page"), []);
    // Of its own hosts OSS makes browsers download it.
    t.same(await policies("oss.test", "page"), []);
  },
);
