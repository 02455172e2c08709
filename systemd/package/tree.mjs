import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, extname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const HERE = fileURLToPath(new URL(".", import.meta.url));
const LIBRARY = "usr/lib/ossgate";

/** Of a package's files what is for those who develop with it. */
const FOR_DEVELOPERS = new Set([
  ".ts",
  ".mts",
  ".cts",
  ".map",
  ".md",
  ".markdown",
  ".cc",
  ".cpp",
  ".c",
  ".h",
  ".hpp",
  ".gyp",
  ".gypi",
  ".mk",
  ".o",
  ".a",
  ".d",
  ".flow",
  ".tsbuildinfo",
  ".sh",
  ".html",
]);
const FOLDERS_FOR_DEVELOPERS = new Set([
  "test",
  "tests",
  "__tests__",
  "docs",
  "doc",
  "example",
  "examples",
  "bench",
  "benchmark",
  "benchmarks",
  ".github",
  ".bin",
  "obj.target",
]);
const LEGAL = /^(licen[cs]e|notice|copying|copyright|authors)/i;
/** Only to compile others. */
const FOR_COMPILERS = new Set(["nan", "node-addon-api"]);

/**
 * The program, its dependencies and Node itself.
 * @returns what is carried: name, version, licence, and the files that tell it
 */
export function copyProgram({ tree, compiled, own }) {
  const library = join(tree, LIBRARY);
  mkdirSync(library, { recursive: true });
  cpSync(compiled, join(library, "dist"), {
    recursive: true,
    filter: (path) => !/\.(d\.ts|map|tsbuildinfo)$/.test(path),
  });
  const { name, version, description, license, type } = own;
  writeFileSync(
    join(library, "package.json"),
    `${JSON.stringify({ name, version, description, license, type }, null, 2)}\n`,
  );
  const carried = copyModules(library);
  copyFileSync(process.execPath, join(library, "node"));
  chmodSync(join(library, "node"), 0o755);
  normalizeModes(library);
  return carried;
}

function copyModules(library) {
  const { packages } = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8"));
  const wanted = Object.entries(packages).filter(
    ([path, { dev, devOptional, link }]) => path !== "" && !dev && !devOptional && !link,
  );
  const carried = [];
  for (const [path, { version, license, optional }] of wanted) {
    const name = path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
    if (FOR_COMPILERS.has(name)) continue;
    const from = join(ROOT, path);
    if (!existsSync(from)) {
      if (optional && name !== "unix-dgram") continue;
      throw new Error(`${path} is not installed; run npm ci`);
    }
    const count = copyPackage(from, join(library, path));
    if (count > 0) carried.push({ name, version, license, legal: legalFiles(from) });
  }
  const native = join(library, "node_modules/unix-dgram/build/Release/unix_dgram.node");
  if (!existsSync(native))
    throw new Error("unix-dgram was not compiled, without which systemd is told nothing; run npm rebuild unix-dgram");
  return carried;
}

/** @returns how many files of code there were */
function copyPackage(from, to) {
  let code = 0;
  cpSync(from, to, {
    recursive: true,
    filter(path) {
      const parts = relative(from, path).split(sep);
      if (parts.includes("node_modules") || isForOthers(parts)) return false;
      if (/\.(c?js|mjs|node|wasm|css)$/.test(path)) code += 1;
      return true;
    },
  });
  if (code === 0) removeEmpty(to);
  else pruneFolders(to);
  return code;
}

/** Folders in which nothing was left. */
function pruneFolders(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const path = join(folder, entry.name);
    pruneFolders(path);
    if (readdirSync(path).length === 0) rmdirSync(path);
  }
}

/** With the folder of its scope, when nothing else is in it. */
function removeEmpty(folder) {
  rmSync(folder, { recursive: true });
  if (readdirSync(dirname(folder)).length === 0) removeEmpty(dirname(folder));
}

function isForOthers(parts) {
  const name = parts.at(-1);
  if (LEGAL.test(name) || name === "") return false;
  if (name.startsWith(".")) return true;
  if (FOLDERS_FOR_DEVELOPERS.has(parts[0]) || parts.includes("obj.target")) return true;
  if (FOR_DEVELOPERS.has(extname(name)) || name === "Makefile" || name === "config.gypi") return true;
  return parts[0] === "prebuilds" && parts.length > 1 && !isOfThisMachine(parts);
}

function isOfThisMachine([, target, file]) {
  return target === `linux-${process.arch}` && (file === undefined || !file.includes("musl"));
}

function legalFiles(folder) {
  return readdirSync(folder)
    .filter((name) => LEGAL.test(name))
    .sort()
    .map((name) => join(folder, name));
}

/** What stands beside the program: the command, the configuration, units, logrotate's snippet and examples. */
export function copyFiles(tree) {
  const place = (from, to, mode = 0o644) => {
    const target = join(tree, to);
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(from, target);
    chmodSync(target, mode);
  };
  place(join(HERE, "ossgate"), "usr/bin/ossgate", 0o755);
  place(join(HERE, "gateway.yaml"), "etc/ossgate/gateway.yaml");
  place(join(HERE, "logrotate"), "etc/logrotate.d/ossgate");
  for (const unit of ["ossgate.service", "ossgate.socket", "ossgate-tls.socket"])
    place(join(ROOT, "systemd", unit), `usr/lib/systemd/system/${unit}`);
  place(join(ROOT, "systemd/README.md"), "usr/share/doc/ossgate/README.md");
  place(join(ROOT, "CHANGELOG.md"), "usr/share/doc/ossgate/CHANGELOG.md");
  const examples = join(tree, "usr/share/doc/ossgate/examples");
  cpSync(join(ROOT, "config"), examples, { recursive: true });
  normalizeModes(join(tree, "usr/share/doc"));
}

function normalizeModes(folder) {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) normalizeModes(path);
    else if (path.endsWith("/node")) chmodSync(path, 0o755);
    else chmodSync(path, 0o644);
  }
}
