/**
 * Builds the packages: `node systemd/package/build.mjs [--out DIR] [--version VERSION] [--program DIR] [--uncompressed]`.
 * ossgate_VERSION_ARCH.deb, and a .tar.gz of the same files for systems without dpkg. Needs no network. The same sources,
 * dependencies and Node give the same bytes; SOURCE_DATE_EPOCH is the time in them, by default that of the last commit.
 */
import { execFileSync } from "node:child_process";
import { lutimesSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { writeControl } from "./control.mjs";
import { writeChangelog, writeCopyright, writeManual } from "./documents.mjs";
import { copyFiles, copyProgram, ROOT } from "./tree.mjs";

const { values } = parseArgs({
  options: {
    out: { type: "string", default: join(ROOT, "dist-package") },
    version: { type: "string" },
    /** Compiled before; by default the sources are compiled, without what earlier builds left. */
    program: { type: "string" },
    /** Far faster, for tests. */
    uncompressed: { type: "boolean", default: false },
  },
});

const ARCHITECTURES = { x64: "amd64", arm64: "arm64" };

function timeOfSources() {
  if (process.env.SOURCE_DATE_EPOCH) return Number(process.env.SOURCE_DATE_EPOCH);
  try {
    return Number(execFileSync("git", ["log", "-1", "--format=%ct"], { cwd: ROOT, encoding: "utf8" }));
  } catch {
    return 0;
  }
}

function compile(into) {
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
  const options = ["--outDir", into, "--declaration", "false", "--sourceMap", "false"];
  execFileSync(process.execPath, [tsc, "-p", join(ROOT, "tsconfig.build.json"), ...options], { stdio: "inherit" });
}

/** Every file and directory below, sorted, as `./path`. */
function listTree(tree, below = ".") {
  const entries = readdirSync(join(tree, below), { withFileTypes: true });
  const names = entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  return names.flatMap((entry) => {
    const path = `${below}/${entry.name}`;
    return entry.isDirectory() ? [path, ...listTree(tree, path)] : [path];
  });
}

function stamp(tree, seconds) {
  for (const path of [".", ...listTree(tree)]) lutimesSync(join(tree, path), seconds, seconds);
}

/** Only what is ours: an archive that names /usr or /lib would change the owner's directories, or replace links there. */
function writeTar(tree, file, seconds) {
  const own = listTree(tree).filter((path) =>
    /^\.\/(usr\/lib\/ossgate|etc\/ossgate|usr\/share\/doc\/ossgate)(\/|$)/.test(path),
  );
  const others = listTree(tree).filter((path) =>
    /^\.\/(usr\/bin|usr\/lib\/systemd\/system|usr\/share\/man\/man8|etc\/logrotate\.d)\/./.test(path),
  );
  execFileSync(
    "tar",
    [
      ...[
        "--create",
        "--file",
        file,
        ...(values.uncompressed ? [] : ["--use-compress-program", "gzip -n"]),
        "--directory",
        tree,
      ],
      ...["--owner=0", "--group=0", "--numeric-owner", `--mtime=@${seconds}`, "--sort=name", "--format=gnu"],
      ...["--no-recursion", "--verbatim-files-from", "--files-from=-"],
    ],
    { input: `${[...own, ...others].sort().join("\n")}\n`, stdio: ["pipe", "inherit", "inherit"] },
  );
}

function writeDeb(tree, file, seconds) {
  execFileSync(
    "dpkg-deb",
    ["--root-owner-group", ...(values.uncompressed ? ["-Znone"] : ["-Zgzip", "-z6"]), "--build", tree, file],
    {
      env: { ...process.env, SOURCE_DATE_EPOCH: String(seconds) },
      stdio: ["ignore", "ignore", "inherit"],
    },
  );
}

const architecture = ARCHITECTURES[process.arch];
if (process.platform !== "linux" || architecture === undefined) {
  throw new Error(`packages are built on Linux, on x64 or arm64, and this is ${process.platform} on ${process.arch}`);
}
const own = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const version = values.version ?? own.version;
const seconds = timeOfSources();
const work = mkdtempSync(join(tmpdir(), "ossgate-package-"));
try {
  process.umask(0o022);
  const tree = join(work, "tree");
  const compiled = values.program === undefined ? join(work, "dist") : resolve(values.program);
  if (values.program === undefined) compile(compiled);
  const carried = copyProgram({ tree, compiled, own: { ...own, version } });
  copyFiles(tree);
  writeChangelog(tree, { version, seconds });
  writeManual(tree, { version, seconds });
  writeCopyright(tree, carried);
  mkdirSync(values.out, { recursive: true });
  const name = join(values.out, `ossgate_${version}_${architecture}`);
  stamp(tree, seconds);
  const archive = `${name}.tar${values.uncompressed ? "" : ".gz"}`;
  writeTar(tree, archive, seconds);
  writeControl(tree, { version, architecture, description: own.description });
  stamp(tree, seconds);
  writeDeb(tree, `${name}.deb`, seconds);
  process.stdout.write(`${name}.deb\n${archive}\n`);
} finally {
  rmSync(work, { recursive: true, force: true });
}
