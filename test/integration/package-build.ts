/** The real packages, built from what is compiled in dist/. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Test } from "tap";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const BUILD = join(ROOT, "systemd/package/build.mjs");
/** As `npm test` compiles it before. */
const PROGRAM = join(ROOT, "dist");
/** In the package, and on a machine. */
export const CONFIG = "etc/ossgate/gateway.yaml";

/** Runs a program to its end; throws when it fails. */
export const run = (program: string, args: readonly string[], env = process.env): string =>
  execFileSync(program, args, { encoding: "utf8", env, stdio: ["ignore", "pipe", "pipe"] });

export function temporary(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), "ossgate-package-"));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export interface Built {
  readonly deb: string;
  /** For systems without dpkg. */
  readonly archive: string;
}

/** Not compressed, which takes most of a build's time. */
export function build(t: Test): Built {
  const args = [BUILD, "--out", temporary(t), "--program", PROGRAM, "--uncompressed"];
  const printed = run(process.execPath, args, { ...process.env, SOURCE_DATE_EPOCH: "1700000000" });
  const [deb = "", archive = ""] = printed.trim().split("\n");
  return { deb, archive };
}

/** What is in it, with DEBIAN/. */
export function unpack(t: Test, { deb }: Built): string {
  const tree = join(temporary(t), "tree");
  run("dpkg-deb", ["--raw-extract", deb, tree]);
  return tree;
}

/** The same as version 99.0.0, which brings another default configuration. */
export function nextVersion(t: Test, built: Built): Built {
  const tree = unpack(t, built);
  replaceIn(join(tree, "DEBIAN/control"), /^Version: .*$/m, "Version: 99.0.0");
  replaceIn(join(tree, "usr/lib/ossgate/package.json"), /"version": "[^"]*"/, '"version": "99.0.0"');
  replaceIn(join(tree, CONFIG), /^/, "# a new default\n");
  const deb = join(temporary(t), "next.deb");
  run("dpkg-deb", ["-Znone", "--root-owner-group", "--build", tree, deb]);
  return { deb, archive: "" };
}

function replaceIn(file: string, pattern: RegExp, text: string): void {
  writeFileSync(file, readFileSync(file, "utf8").replace(pattern, text));
}
