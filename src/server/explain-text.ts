import { headerValue } from "../core/headers.js";
import type { Explanation, RequestToExplain } from "../gateway/explain.js";
import type { ExplainedCheck } from "../gateway/explain-checks.js";

const OUTCOMES: Readonly<Record<ExplainedCheck["outcome"], string>> = {
  pass: "ok",
  refuse: "REFUSED",
  report: "reported",
  assume: "assumed",
  skip: "not made",
};

/** An explanation to be read in a terminal. What clients could write is shown without control characters. */
export function explainText(request: RequestToExplain, explanation: Explanation): string {
  const { route, misses, checks, rewrite, upstream, answer, notes } = explanation;
  const { method, listener, client } = request;
  const lines = [
    `${method} ${explanation.target}`,
    `Host: ${hostOf(request)}   listener ${listener}, client ${client}`,
    "",
    route === null
      ? "Route     none"
      : `Route     ${route.name} (${route.hosts.join(", ")} ${route.pathPrefix}${route.pathPattern === null ? "" : ` ~ ${route.pathPattern}`})`,
    ...misses.map((miss) => `          ${miss}`),
    "",
    ...checks.map(({ check, outcome, detail }) =>
      `${check.padEnd(14)} ${OUTCOMES[outcome].padEnd(9)} ${detail}`.trimEnd(),
    ),
    "",
  ];
  if (rewrite !== null) {
    lines.push(
      `Bucket    ${rewrite.bucket} (${rewrite.ossBucket} at OSS)`,
      `Key       ${rewrite.key === "" ? "(the bucket itself)" : rewrite.key}`,
      `Signed by ${rewrite.signedBy ?? "nobody here: what the client signed is relayed"}`,
      `Headers   removed: ${list(rewrite.headersRemoved)}; added or changed: ${list(rewrite.headersAdded)}`,
      "",
    );
  }
  if (upstream !== null) {
    lines.push(`To ${upstream.origin}`, `  ${upstream.method} ${upstream.target} HTTP/1.1`);
    for (let i = 0; i < upstream.headers.length; i += 2) {
      lines.push(`  ${upstream.headers[i]}: ${upstream.headers[i + 1]}`);
    }
    lines.push("");
  }
  if (answer !== null) {
    lines.push(`Answer    ${answer.status}${answer.code === null ? "" : ` ${answer.code}`}: ${answer.reason}`);
    const location = headerValue(answer.headers, "location");
    lines.push(...(location === undefined ? [""] : [`          ${location}`, ""]));
  }
  lines.push(...notes);
  return `${lines.join("\n").trimEnd()}\n`.replace(/[^\n\x20-\x7e\u00a0-\uffff]/g, "·");
}

function hostOf({ headers }: RequestToExplain): string {
  const at = headers.findIndex((name, i) => i % 2 === 0 && name.toLowerCase() === "host");
  return headers[at + 1] ?? "";
}

const list = (names: readonly string[]): string => (names.length === 0 ? "none" : names.join(", "));
