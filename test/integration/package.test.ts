import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import t from "tap";
import { type Built, build, run, temporary, unpack } from "./package-build.js";
import { needs } from "./systemd-service.js";

const needsDpkg = needs("dpkg-deb", "--version");
const needsMan = { ...needsDpkg, ...needs("man", "--version") };

let shared: { readonly built: Built; readonly tree: string } | null = null;

/** A build takes seconds: one serves all tests. */
function sharedBuild() {
  if (shared === null) {
    const built = build(t);
    shared = { built, tree: unpack(t, built) };
  }
  return shared;
}

const hash = (file: string): string => createHash("sha256").update(readFileSync(file)).digest("hex");

/** Every file below, as a path that begins with `/`. */
function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .filter((name) => !lstatSync(join(directory, name)).isDirectory())
    .map((name) => `/${name}`)
    .sort();
}

t.test(
  "the package has the program, Node, units, manual and licences, and nothing for developers",
  needsDpkg,
  async (t) => {
    const { tree, built } = sharedBuild();
    const { deb, archive } = built;
    const files = filesBelow(tree);
    for (const file of [
      "/etc/logrotate.d/ossgate",
      "/etc/ossgate/gateway.yaml",
      "/usr/bin/ossgate",
      "/usr/lib/ossgate/dist/cli.js",
      "/usr/lib/ossgate/dist/server/status/page/app.js",
      "/usr/lib/ossgate/node",
      "/usr/lib/ossgate/node_modules/uplot/dist/uPlot.esm.js",
      "/usr/lib/ossgate/node_modules/uplot/dist/uPlot.min.css",
      "/usr/lib/ossgate/node_modules/unix-dgram/build/Release/unix_dgram.node",
      "/usr/lib/systemd/system/ossgate.service",
      "/usr/lib/systemd/system/ossgate.socket",
      "/usr/lib/systemd/system/ossgate-tls.socket",
      "/usr/share/doc/ossgate/CHANGELOG.md",
      "/usr/share/doc/ossgate/README.md",
      "/usr/share/doc/ossgate/changelog.gz",
      "/usr/share/doc/ossgate/copyright",
      "/usr/share/doc/ossgate/examples/gateway.example.yaml",
      "/usr/share/man/man8/ossgate.8.gz",
    ]) {
      t.ok(files.includes(file), file);
    }
    t.same(
      files.filter(
        (file) =>
          /\.(ts|map|md|html|sh)$/.test(file) && !file.startsWith("/usr/share/doc") && !/licen[cs]e/i.test(file),
      ),
      [],
    );
    t.equal(hash(join(tree, "usr/lib/ossgate/node")), hash(process.execPath));
    const copyright = readFileSync(join(tree, "usr/share/doc/ossgate/copyright"), "utf8");
    t.match(copyright, /Node\.js/);
    const modules = files.filter((file) => /node_modules\/(@[^/]+\/)?[^/@]+\/package\.json$/.test(file));
    t.ok(modules.length > 20);
    for (const file of modules) {
      const { name, version } = JSON.parse(readFileSync(join(tree, file), "utf8")) as Record<string, string>;
      t.ok(copyright.includes(`\n${name} ${version} (`), `${name}`);
    }
    const listed = run("tar", ["--list", "--file", archive])
      .trim()
      .split("\n")
      .filter((name) => !name.endsWith("/"));
    t.same(
      listed.map((name) => name.slice(1)).sort(),
      files.filter((file) => !file.startsWith("/DEBIAN/")),
      "the archive for other systems has the same files",
    );
    t.match(run("dpkg-deb", ["--field", deb, "Depends"]), /^libc6 \(>= 2\.\d+\), libgcc-s1, libstdc\+\+6\n$/);
  },
);

t.test(
  "every file but the configuration has its checksum, and Debian's tools read the changelog",
  needsDpkg,
  async (t) => {
    const { tree } = sharedBuild();
    const sums = readFileSync(join(tree, "DEBIAN/md5sums"), "utf8");
    const listed = Array.from(sums.matchAll(/^([0-9a-f]{32}) {2}(.+)$/gm), ([, sum = "", name = ""]) => ({
      sum,
      name,
    }));
    t.same(
      listed.map(({ name }) => `/${name}`).sort(),
      filesBelow(tree).filter((file) => !file.startsWith("/DEBIAN/") && !file.startsWith("/etc/")),
    );
    const md5 = (name: string): string =>
      createHash("md5")
        .update(readFileSync(join(tree, name)))
        .digest("hex");
    t.same(
      listed.filter(({ sum, name }) => md5(name) !== sum),
      [],
    );
    const changelog = gunzipSync(readFileSync(join(tree, "usr/share/doc/ossgate/changelog.gz"))).toString();
    t.match(
      changelog,
      /^ossgate \(\d+\.\d+\.\d+\) \S+; urgency=\S+\n\n {2}\* [^\n]+\n\n -- [^<]+<[^>]+> {2}\w{3}, \d\d \w{3} \d{4} [\d:]{8} \+0000\n$/,
    );
  },
);

t.test("the same sources give the same bytes", needsDpkg, async (t) => {
  const [first, second] = [sharedBuild().built, build(t)];
  t.equal(hash(first.deb), hash(second.deb));
  t.equal(hash(first.archive), hash(second.archive));
});

t.test("the manual page renders without a warning, with each command in it", needsMan, async (t) => {
  const { tree } = sharedBuild();
  const page = join(temporary(t), "ossgate.8");
  writeFileSync(page, gunzipSync(readFileSync(join(tree, "usr/share/man/man8/ossgate.8.gz"))));
  const env = { ...process.env, LC_ALL: "C.UTF-8", MANWIDTH: "100" };
  const { stdout, stderr } = spawnSync("man", ["--local-file", "--warnings", page], { encoding: "utf8", env });
  t.equal(stderr, "");
  for (const command of ["run", "check", "sign"]) t.match(stdout, new RegExp(`^   ossgate ${command}$`, "m"));
});
