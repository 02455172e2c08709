import t from "tap";
import { renderFindings } from "../../../src/cli/doctor-report.js";
import type { Finding } from "../../../src/doctor/finding.js";

const FINDINGS: readonly Finding[] = [
  { level: "ok", subject: "machine", check: "Node", result: "v20.18.1", next: null },
  {
    level: "broken",
    subject: "listener secure",
    check: "certificate",
    result: "/etc/ossgate/tls/a-rather-long-name-of-a-file.pem cannot be read: there is no such file at all",
    next: "Repair the file: the gateway does not start without it, and clients are refused until it is there again.",
  },
];

t.test("in a terminal no line is wider than it, and texts stay in their column", async (t) => {
  const lines = renderFindings(FINDINGS, { hasColour: false, columns: 80 }).split("\n");
  t.strictSame(
    lines.filter((line) => line.length > 80),
    [],
  );
  const row = lines.findIndex((line) => line.startsWith("  BROKEN  certificate"));
  t.equal(lines[row]?.indexOf("/etc"), lines[row + 1]?.search(/\S/));
  t.equal(
    lines
      .join(" ")
      .replace(/\s+/g, " ")
      .includes(FINDINGS[1]?.next ?? "?"),
    true,
    "no word is lost",
  );
});

t.test("elsewhere each finding is one line", async (t) => {
  const text = renderFindings(FINDINGS, { hasColour: false });
  t.match(text, FINDINGS[1]?.result);
  t.match(text, FINDINGS[1]?.next ?? "?");
  t.equal(renderFindings(FINDINGS, { hasColour: false, columns: 30 }), text, "nor where there is no room");
});
