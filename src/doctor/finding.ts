/** How something is; `skipped`: it could not be looked at, which `result` explains. */
export type Level = "ok" | "warn" | "broken" | "skipped";

/** What was looked at and how it is: one line of the doctor's table. Holds no secret, and key ids only in part. */
export interface Finding {
  readonly level: Level;
  /** `machine`, `listener web`, `bucket media`, `route images` … */
  readonly subject: string;
  /** `name`, `connect`, `signed request` … */
  readonly check: string;
  /** What was found, in words. */
  readonly result: string;
  /** What to do, one sentence; `null`: nothing. */
  readonly next: string | null;
}

/** Makes the findings about one subject. */
export class Report {
  readonly findings: Finding[] = [];
  readonly #subject: string;

  constructor(subject: string) {
    this.#subject = subject;
  }

  ok(check: string, result: string): void {
    this.add("ok", check, result, null);
  }

  skipped(check: string, result: string): void {
    this.add("skipped", check, result, null);
  }

  add(level: Level, check: string, result: string, next: string | null): void {
    this.findings.push({ level, subject: this.#subject, check, result: cut(result), next });
  }
}

/** What others answer stands in results. */
const MAX_CHARACTERS = 300;

function cut(text: string): string {
  const plain = text.replace(/[\p{Cc}\p{Cf}]+/gu, " ");
  return plain.length <= MAX_CHARACTERS ? plain : `${plain.slice(0, MAX_CHARACTERS - 1)}…`;
}

/** `LTAI…9z`: enough to find it in the vendor's console, too little to use. */
export function maskedId(accessKeyId: string): string {
  return accessKeyId.length < 10
    ? `${accessKeyId.slice(0, 2)}…`
    : `${accessKeyId.slice(0, 4)}…${accessKeyId.slice(-2)}`;
}

/** `2 min`, `13 days`: whole units, rounded down. */
export function inWords(ms: number): string {
  const seconds = Math.floor(Math.abs(ms) / 1_000);
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3_600)} h`;
  return `${Math.floor(seconds / 86_400)} days`;
}
