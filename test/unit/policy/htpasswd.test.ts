import { spawnSync } from "node:child_process";
import { inspect } from "node:util";
import bcrypt from "bcrypt";
import fc from "fast-check";
import t from "tap";
import { parsePasswords } from "../../../src/policy/htpasswd.js";

const SALTED = "vbl5zvF7lTiyokFNW.rfNeDuXphlAk3L467k2724JqtmEXZODJu26";
const hash = (cost = "05", version = "2y"): string => `$${version}$${cost}$${SALTED}`;

function namesOf(text: string): string[] {
  const table = parsePasswords(text);
  if (!table.ok) throw new Error(JSON.stringify(table.problems));
  return [...table.hashes.keys()];
}

function problemsOf(text: string): string[] {
  const table = parsePasswords(text);
  return table.ok ? [] : table.problems.map(({ line, message }) => `${line}: ${message}`);
}

t.test("a line is a name and a bcrypt hash; comments and empty lines are passed over", (t) => {
  const text = `# users\r\nanna:${hash()}\r\n\r\n   \nben jürgens:${hash("12", "2b")}:a comment\n鍵:${hash("04", "2a")} \n#last`;
  t.same(namesOf(text), ["anna", "ben jürgens", "鍵"]);
  t.same(namesOf(`anna:${hash()}`), ["anna"], "without a line end");
  t.end();
});

t.test("all three ways to mark bcrypt give the hash that the library takes, and the highest cost is told", (t) => {
  const table = parsePasswords(`a:${hash("05", "2y")}\nb:${hash("11", "2a")}\nc:${hash("07", "2b")}\n`);
  if (!table.ok) throw new Error("not ok");
  t.same(
    [...table.hashes.values()].map((value) => value.reveal()),
    [hash("05", "2b"), hash("11", "2b"), hash("07", "2b")],
  );
  t.equal(table.maxCost, 11);
  t.end();
});

const bad: readonly (readonly [claim: string, line: string, message: RegExp])[] = [
  ["MD5 of Apache", "u:$apr1$0dv.wWU7$7ZjjLG7ZFUyuKiGWlz1w9.", /MD5 hash of Apache.*htpasswd -B/],
  ["SHA-1", "u:{SHA}UWuXg/ylF+7L0dBk2i0WUxCxl1k=", /SHA-1.*htpasswd -B/],
  ["SHA-256", "u:$5$O6.pOdRdg2Fr5php$Nq6jcSifOqFSxSwWluzt", /SHA-256.*htpasswd -B/],
  ["SHA-512", "u:$6$sC01yqRj508LemQs$cZaL0ad7Of41j8CRmYYv", /SHA-512.*htpasswd -B/],
  ["crypt", "u:B/y5wlMCvQnrY", /no bcrypt hash.*htpasswd -B/],
  ["plain", "u:plain-secret", /no bcrypt hash.*htpasswd -B/],
  ["NGINX's plain", "u:{PLAIN}plain-secret", /plain text.*htpasswd -B/],
  ["a cut hash", `u:${hash().slice(0, -1)}`, /cut or changed.*htpasswd -B/],
  ["a longer hash", `u:${hash()}x`, /cut or changed/],
  ["an unknown bcrypt", `u:${hash("05", "2x")}`, /cut or changed/],
  ["no hash", "u:", /no hash/],
  ["no colon", "plain-secret", /no colon/],
  ["no name", `:${hash()}`, /no name/],
  ["a control character", `a\u0007b:${hash()}`, /control character/],
  ["a NUL", `a\0b:${hash()}`, /control character/],
  ["a long name", `${"é".repeat(128)}:${hash()}`, /longer than 255 bytes/],
  ["too cheap", `u:${hash("03")}`, /cost is 3/],
  ["too dear", `u:${hash("16")}`, /cost is 16.*4 to 15/],
];

t.test("what is no such line is refused with its number and what to do, and nothing of it is repeated", (t) => {
  for (const [claim, line, message] of bad) {
    const [problem = "", ...more] = problemsOf(`# first\n${line}\ngood:${hash()}\n`);
    t.match(problem, message, claim);
    t.match(problem, /^2: /, claim);
    t.equal(more.length, 0, claim);
    const secret = line.slice(line.indexOf(":") + 1);
    if (secret !== "") t.notOk(problem.includes(secret), claim);
  }
  t.end();
});

t.test("a name that is there twice is refused, and so is a file that names nobody", (t) => {
  t.match(problemsOf(`a:${hash()}\nb:${hash()}\na:${hash()}\n`), [/^3: the name is there already/]);
  t.match(problemsOf("# nobody\n\n"), [/^0: it names nobody/]);
  t.match(problemsOf(""), [/^0: /]);
  t.equal(problemsOf("x\n".repeat(1_000)).length, 20, "and a thousand problems are told of in twenty lines");
  t.end();
});

t.test("names are compared as they are written, those of objects' own properties too", (t) => {
  t.same(namesOf(`__proto__:${hash()}\nAnna:${hash()}\nanna:${hash()}\nconstructor:${hash()}\n`).length, 4);
  const table = parsePasswords(`a:${hash()}\n`);
  t.equal(table.ok && table.hashes.get("toString"), undefined);
  t.end();
});

t.test("nothing that is kept prints a hash", (t) => {
  const table = parsePasswords(`a:${hash()}\n`);
  t.notMatch(inspect(table, { depth: null, showHidden: true }), SALTED);
  t.notMatch(JSON.stringify(table.ok && [...table.hashes]), SALTED);
  t.end();
});

t.test("every text is either users or problems that have a line of it", (t) => {
  const piece = fc.constantFrom("a", ":", "$2y$05$", SALTED, "\n", "\r\n", "#", " ", "é", "\0");
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      const text = pieces.join("");
      const table = parsePasswords(text);
      if (table.ok) return table.hashes.size > 0 && table.maxCost === 5;
      return table.problems.every(({ line }) => line >= 0 && line <= text.split("\n").length);
    }),
    { numRuns: 2_000 },
  );
  t.end();
});

t.test("what htpasswd really writes is read, in all its formats", async (t) => {
  const written = (...options: string[]) => {
    const { error, stdout } = spawnSync("htpasswd", ["-nb", ...options, "anna", "secret"], { encoding: "utf8" });
    if (error !== undefined) throw error;
    return stdout;
  };
  try {
    written("-B");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || process.env.OSSGATE_REQUIRE_PEERS === "1") throw error;
    t.comment("htpasswd is not installed");
    return;
  }
  for (const options of [["-B"], ["-B", "-C", "4"], ["-B", "-C", "10"]]) {
    const table = parsePasswords(written(...options));
    const found = table.ok ? table.hashes.get("anna") : undefined;
    t.ok(found !== undefined && (await bcrypt.compare("secret", found.reveal())), options.join(" "));
  }
  for (const option of ["-m", "-s", "-d", "-p", "-2", "-5"]) {
    t.match(problemsOf(written(option)), [/^1: .*htpasswd -B/], option);
  }
});
