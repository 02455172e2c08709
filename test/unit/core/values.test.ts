import { inspect } from "node:util";
import t from "tap";
import { ERROR_CODES, ERRORS, GatewayError } from "../../../src/core/errors.js";
import { Secret } from "../../../src/core/secret.js";
import {
  parseBytesPerSecond,
  parseDurationMs,
  parseRequestsPerSecond,
  parseSizeBytes,
} from "../../../src/core/units.js";

t.test("durations are numbers with a unit", (t) => {
  const table: readonly (readonly [text: string, ms: number | null])[] = [
    ["0s", 0],
    ["250ms", 250],
    ["1.5s", 1_500],
    ["5m", 300_000],
    ["12h", 43_200_000],
    ["7d", 604_800_000],
    ["5", null],
    ["", null],
    ["s", null],
    ["-1s", null],
    ["1 s", null],
    ["1S", null],
    ["1w", null],
    ["1e3s", null],
    [".5s", null],
    ["9999999999999999d", null],
  ];
  for (const [text, ms] of table) t.equal(parseDurationMs(text), ms, text);
  t.end();
});

t.test("sizes are numbers with a unit, in powers of two or of ten", (t) => {
  const table: readonly (readonly [text: string, bytes: number | null])[] = [
    ["100B", 100],
    ["64KiB", 65_536],
    ["1.5MiB", 1_572_864],
    ["5GiB", 5_368_709_120],
    ["1TiB", 2 ** 40],
    ["1KB", 1_000],
    ["1MB", 1_000_000],
    ["64", null],
    ["64K", null],
    ["64kib", null],
    ["64KiB/s", null],
  ];
  for (const [text, bytes] of table) t.equal(parseSizeBytes(text), bytes, text);
  t.end();
});

t.test("rates of requests are numbers per second, with decimals", (t) => {
  const table: readonly (readonly [text: string, perSecond: number | null])[] = [
    ["2000/s", 2000],
    ["0.5/s", 0.5],
    ["0/s", 0],
    ["2000", null],
    ["/s", null],
    ["10r/s", null],
    ["60/m", null],
    ["-1/s", null],
    ["1e3/s", null],
    [".5/s", null],
    ["1 /s", null],
    ["1/s ", null],
  ];
  for (const [text, perSecond] of table) t.equal(parseRequestsPerSecond(text), perSecond, text);
  t.end();
});

t.test("rates of bytes are sizes or bits per second, in whole bytes", (t) => {
  const table: readonly (readonly [text: string, bytesPerSecond: number | null])[] = [
    ["50MiB/s", 52_428_800],
    ["1.5KiB/s", 1_536],
    ["100B/s", 100],
    ["50MB/s", 50_000_000],
    ["10Gbit/s", 1_250_000_000],
    ["8bit/s", 1],
    ["12bit/s", 2],
    ["1Tbit/s", 125_000_000_000],
    ["50MiB", null],
    ["50m", null],
    ["50m/s", null],
    ["50/s", null],
    ["50Mb/s", null],
    ["50Mbps", null],
    ["/s", null],
    ["-1B/s", null],
    ["99999999TiB/s", null],
  ];
  for (const [text, bytes] of table) t.equal(parseBytesPerSecond(text), bytes, text);
  t.end();
});

t.test("a secret is *** in every way to text but reveal", (t) => {
  const secret = new Secret("hunter2");
  t.equal(secret.reveal(), "hunter2");
  for (const text of [
    `${secret}`,
    String(secret),
    JSON.stringify({ secret }),
    inspect(secret),
    inspect({ a: [secret] }, { showHidden: true }),
  ]) {
    t.match(text, /\*\*\*/);
    t.notMatch(text, /hunter2/);
  }
  t.same(Object.keys(secret), []);
  t.end();
});

t.test("a fault carries its row of the table, and its cause", (t) => {
  const cause = new Error("cause");
  for (const code of ERROR_CODES) {
    const error = new GatewayError(code, "detail", { cause });
    const { code: own, status, origin, retry } = error;
    t.same({ status, origin, retry, ossCode: ERRORS[own].ossCode }, ERRORS[code], code);
    t.same([error.message, error.cause, error.name], ["detail", cause, "GatewayError"]);
  }
  t.end();
});

t.test("the table keeps the promises that others build on", (t) => {
  for (const [code, { status, origin, retry, ossCode }] of Object.entries(ERRORS)) {
    t.equal(origin === "client", status < 500, `${code}: 4xx is the client's`);
    if (origin !== "upstream") t.equal(retry, "never", `${code}: only the upstream is worth another try`);
    t.match(code, /^[A-Z_]+$/);
    t.match(ossCode, /^[A-Z][A-Za-z]+$/);
  }
  t.same(ERROR_CODES, Object.keys(ERRORS));
  t.end();
});
