import t from "tap";
import { problemsOf, withLines } from "./helpers.js";

/** Further keys of the first route of the good file; its bucket is on line 10, these from line 11 on. */
const relayed = (keys: string): string => withLines({ 10: `    bucket: media\n    ${keys}` });

t.test("expressions over paths are RE2's, and few", async (t) => {
  t.strictSame(problemsOf(relayed("deny: { paths: ['/\\.', '(?i)\\.php$'] }")), []);
  const [lookAround, repeats] = problemsOf(relayed("deny: { paths: ['(?=a)', 'a{500}'] }"));
  t.match(lookAround, /^g\.yaml:11:\d+: routes\[0\]\.deny\.paths\[0\]: expected an RE2 expression.*look-around/);
  t.match(repeats, /deny\.paths\[1\]: .*repeats too much/);
  const many = Array.from({ length: 101 }, (_, i) => `x${i}`).join(", ");
  t.match(problemsOf(relayed(`deny: { paths: [${many}] }`)), [/at most 100 expressions/]);
  t.match(problemsOf(relayed("deny: { paths: [''] }")), [/It is empty/]);
});
