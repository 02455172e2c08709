import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, copyFileSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { MAINTAINER } from "./documents.mjs";

const HERE = fileURLToPath(new URL(".", import.meta.url));

/** Which Debian package has what the carried programs link to. */
const PACKAGES = [
  [/^(linux-vdso|linux-gate)/, null],
  [/^(libc|libm|libdl|libpthread|librt)\.so\./, "libc6"],
  [/^ld-linux/, "libc6"],
  [/^libstdc\+\+\.so\.6$/, "libstdc++6"],
  [/^libgcc_s\.so\.1$/, "libgcc-s1"],
];

/** What dpkg reads: the control file, the conffiles and the scripts. */
export function writeControl(tree, { version, architecture, description }) {
  const folder = join(tree, "DEBIAN");
  mkdirSync(folder);
  const kibibytes = Math.ceil(sizeOf(tree) / 1024);
  const [summary, detail] = description.split(": ");
  const control = [
    "Package: ossgate",
    `Version: ${version}`,
    `Architecture: ${architecture}`,
    `Maintainer: ${MAINTAINER}`,
    `Installed-Size: ${kibibytes}`,
    `Depends: ${dependencies(join(tree, "usr/lib/ossgate"))}`,
    "Section: httpd",
    "Priority: optional",
    `Description: ${summary.charAt(0).toLowerCase()}${summary.slice(1)}`,
    ` ${detail}.`,
    " .",
    " Node is in the package. Nothing is enabled nor started by the installation.",
    "",
  ];
  writeFileSync(join(folder, "control"), control.join("\n"));
  writeFileSync(join(folder, "conffiles"), "/etc/logrotate.d/ossgate\n/etc/ossgate/gateway.yaml\n");
  writeFileSync(join(folder, "md5sums"), sumsOf(tree));
  for (const script of ["postinst", "prerm", "postrm"]) {
    copyFileSync(join(HERE, script), join(folder, script));
    chmodSync(join(folder, script), 0o755);
  }
}

/** As the dynamic linker says, with the C library's version that is asked for. */
function dependencies(library) {
  const programs = [join(library, "node"), ...nativeModules(library)];
  const found = new Set();
  for (const program of programs) {
    const linked = execFileSync("ldd", [program], { encoding: "utf8" });
    for (const name of linked.matchAll(/^\s*(\S+?)(?: =>|\s*\()/gm))
      found.add(packageOf(name[1].split("/").at(-1), program));
  }
  found.delete(null);
  const glibc = Math.max(...programs.map(glibcOf));
  return [...found]
    .sort()
    .map((name) => (name === "libc6" ? `libc6 (>= 2.${glibc})` : name))
    .join(", ");
}

function packageOf(soname, program) {
  const row = PACKAGES.find(([pattern]) => pattern.test(soname));
  if (row === undefined) throw new Error(`${program} needs ${soname}: which package has it?`);
  return row[1];
}

function glibcOf(program) {
  const names = readFileSync(program, "latin1").matchAll(/GLIBC_2\.(\d+)/g);
  return Math.max(0, ...Array.from(names, ([, minor]) => Number(minor)));
}

function nativeModules(folder) {
  return readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith(".node"))
    .map((name) => join(folder, name))
    .sort();
}

/** What `dpkg --verify` compares with. */
function sumsOf(tree) {
  const files = readdirSync(tree, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => relative(tree, join(parentPath, name)))
    .filter((name) => !name.startsWith("DEBIAN/") && !name.startsWith("etc/"));
  const lines = files.sort().map((name) => `${sumOf(join(tree, name))}  ${name}\n`);
  return lines.join("");
}

const sumOf = (file) => createHash("md5").update(readFileSync(file)).digest("hex");

function sizeOf(path) {
  const stat = lstatSync(path);
  if (!stat.isDirectory()) return stat.size;
  return readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0);
}
