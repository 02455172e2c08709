import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { ROOT } from "./tree.mjs";

/** Of the package. */
export const MAINTAINER = "ossgate maintainers <maintainers@ossgate.invalid>";

const HERE = fileURLToPath(new URL(".", import.meta.url));

/** ossgate(8): what is written by hand, and each command's own help. */
export function writeManual(tree, { version, seconds }) {
  const library = join(tree, "usr/lib/ossgate");
  const help = (...args) =>
    execFileSync(process.execPath, [join(library, "dist/cli.js"), ...args, "--help"], { encoding: "utf8" });
  const overview = help();
  const commands = [...new Set(Array.from(overview.matchAll(/^ {2}ossgate ([a-z][a-z-]*)/gm), ([, name]) => name))];
  const sections = commands.map((name) => `.SS ossgate ${roff(name)}\n${verbatim(help(name))}`);
  const page = readFileSync(join(HERE, "ossgate.8.in"), "utf8")
    .replace("@DATE@", new Date(seconds * 1000).toISOString().slice(0, 10))
    .replace("@VERSION@", version)
    .replace("@OVERVIEW@\n", () => verbatim(overview.slice(overview.indexOf("Usage:"))))
    .replace("@COMMANDS@\n", () => sections.join(""));
  const folder = join(tree, "usr/share/man/man8");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "ossgate.8.gz"), gzipSync(page, { level: 9 }));
}

const verbatim = (text) => `.nf\n${text.trimEnd().split("\n").map(roffLine).join("\n")}\n.fi\n`;
const roff = (text) =>
  text.replace(/\\/g, "\\e").replace(/-/g, "\\-").replace(/…/g, "...").replace(/→/g, "->").replace(/·/g, "-");
const roffLine = (line) => roff(line).replace(/^([.'])/, "\\&$1");

/** As dpkg-parsechangelog reads it; what changed is in CHANGELOG.md beside it. */
export function writeChangelog(tree, { version, seconds }) {
  const date = new Date(seconds * 1000).toUTCString().replace("GMT", "+0000");
  const text = `ossgate (${version}) unstable; urgency=medium

  * What changed: /usr/share/doc/ossgate/CHANGELOG.md

 -- ${MAINTAINER}  ${date}
`;
  const folder = join(tree, "usr/share/doc/ossgate");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "changelog.gz"), gzipSync(text, { level: 9 }));
}

/** Debian's copyright file: ours, Node's with all that is in it, and each dependency's. */
export function writeCopyright(tree, carried) {
  const parts = [
    "This package has ossgate, Node, and the packages from npm that ossgate uses, each under its own licence.",
    section("ossgate", readFileSync(join(ROOT, "LICENSE"), "utf8")),
    section("Node (/usr/lib/ossgate/node)", readFileSync(licenceOfNode(), "utf8")),
    ...carried.toSorted((a, b) => (a.name < b.name ? -1 : 1)).map(sectionOf),
  ];
  const folder = join(tree, "usr/share/doc/ossgate");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "copyright"), `${parts.join("\n\n")}\n`);
}

function sectionOf({ name, version, license, legal }) {
  const texts = legal.map((file) => readFileSync(file, "utf8").trim());
  const text =
    texts.length > 0
      ? texts.join("\n\n")
      : `Its package has no text of its own beyond the name of its licence: ${license}.`;
  return section(`${name} ${version} (${license})`, text);
}

const section = (title, text) => `${"=".repeat(78)}\n${title}\n${"=".repeat(78)}\n\n${text.trim()}`;

/** Where Node's own archives and Debian's packages of it have it. */
function licenceOfNode() {
  const prefix = dirname(dirname(realpathSync(process.execPath)));
  const file = ["LICENSE", "share/doc/nodejs/LICENSE", "share/doc/node/LICENSE", "share/doc/nodejs/copyright"]
    .map((name) => join(prefix, name))
    .find(existsSync);
  if (file === undefined) throw new Error(`${process.execPath}: its licence is not found below ${prefix}`);
  return file;
}
