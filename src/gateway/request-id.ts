import { randomBytes } from "node:crypto";

const prefix = randomBytes(6).toString("hex").toUpperCase();
let count = 0;

/** 24 upper-case hex digits, as OSS's own: random for each process, then a count. */
export function nextRequestId(): string {
  count += 1;
  return prefix + count.toString(16).toUpperCase().padStart(12, "0");
}
