import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import t from "tap";
import { temporaryDirectory } from "../clients/programs.js";
import { NEEDS_CHROMIUM } from "./chromium.js";

const TESTS = fileURLToPath(new URL("three-visits.ts", import.meta.url));
const PNG_MAGIC = "89504e470d0a1a0a";

t.test("a picture is kept of each page whose test fails, and of no other", NEEDS_CHROMIUM, async (t) => {
  const directory = await temporaryDirectory(t);
  // Of this test's own runner they would count as its subtests.
  const env = { PATH: process.env.PATH, HOME: directory, OSSGATE_ARTIFACTS: join(directory, "pictures") };
  const args = ["--import=tsx", TESTS];
  const ended = await promisify(execFile)(process.execPath, args, { env }).catch((error) => error);
  t.equal(ended.code, 1, "the tests in it fail");
  const names = (await readdir(env.OSSGATE_ARTIFACTS)).sort();
  t.equal(names.length, 2);
  t.match(names, [/an-assertion-fails\.png$/, /an-error-is-thrown\.png$/]);
  for (const name of names) {
    const picture = await readFile(join(env.OSSGATE_ARTIFACTS, name));
    t.equal(picture.subarray(0, 8).toString("hex"), PNG_MAGIC, name);
    t.match(ended.stdout, join(env.OSSGATE_ARTIFACTS, name), "the test tells where it is");
  }
});
