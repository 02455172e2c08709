import t from "tap";
import { ERROR_CODES, ERRORS, type ErrorCode, GatewayError } from "../../../src/core/errors.js";
import { decideRetry, RetryBudget, type RetryDecision } from "../../../src/transport/retry.js";

interface Row {
  readonly code: ErrorCode;
  readonly method?: string;
  readonly attempt?: number;
  readonly bodyTaken?: boolean;
}

const decide = ({ code, method = "GET", attempt = 1, bodyTaken = false }: Row): RetryDecision =>
  decideRetry({ method, attempt, bodyTaken, error: new GatewayError(code, "") });

const METHODS = ["GET", "HEAD", "OPTIONS", "DELETE", "PUT", "POST"] as const;

/** What is done for each of METHODS, in their order, at the first try with the body untouched. */
const TABLE: Readonly<Partial<Record<ErrorCode, readonly RetryDecision[]>>> = {
  UPSTREAM_NAME_NOT_RESOLVED: Array(6).fill("other-address"),
  UPSTREAM_REFUSED: Array(6).fill("other-address"),
  UPSTREAM_TLS: Array(6).fill("other-address"),
  UPSTREAM_CONNECT_TIMEOUT: Array(6).fill("other-address"),
  UPSTREAM_RESET: ["other-address", "other-address", "other-address", "give-up", "give-up", "give-up"],
  UPSTREAM_STALE_CONNECTION: [
    "fresh-connection",
    "fresh-connection",
    "fresh-connection",
    "fresh-connection",
    "give-up",
    "give-up",
  ],
};

t.test("every code and method has one decision", async (t) => {
  for (const code of ERROR_CODES) {
    const decisions = METHODS.map((method) => decide({ code, method }));
    t.same(decisions, TABLE[code] ?? Array(6).fill("give-up"), code);
  }
});

t.test("only faults of the upstream are ever tried again", async (t) => {
  for (const code of ERROR_CODES) {
    if (ERRORS[code].origin !== "upstream") t.equal(decide({ code }), "give-up", code);
  }
});

t.test("nothing is tried again once part of the body may have been read", async (t) => {
  for (const code of ERROR_CODES) {
    for (const method of METHODS) t.equal(decide({ code, method, bodyTaken: true }), "give-up");
  }
});

t.test("there are three tries at most", async (t) => {
  for (const code of ["UPSTREAM_REFUSED", "UPSTREAM_RESET", "UPSTREAM_STALE_CONNECTION"] as const) {
    t.not(decide({ code, attempt: 2 }), "give-up", code);
    t.equal(decide({ code, attempt: 3 }), "give-up", code);
  }
});

t.test("retries are a fifth of the requests, and up to fifty are saved", async (t) => {
  const takeAll = (budget: RetryBudget): number => {
    let taken = 0;
    while (budget.take()) taken += 1;
    return taken;
  };
  const budget = new RetryBudget();
  t.equal(takeAll(budget), 10, "a start");
  for (let i = 0; i < 4; i += 1) budget.earn();
  t.notOk(budget.take(), "four requests earn none");
  for (let i = 0; i < 2; i += 1) budget.earn();
  t.ok(budget.take());
  t.notOk(budget.take());
  for (let i = 0; i < 10_000; i += 1) budget.earn();
  t.equal(takeAll(budget), 50);
});
