/** Why a value is not taken: what would have been, and what to do about it. */
export class Refusal {
  /** Completes "expected …". */
  readonly expected: string;
  /** One sentence, or `""`. */
  readonly hint: string;

  constructor(expected: string, hint = "") {
    this.expected = expected;
    this.hint = hint;
  }
}

/** Both halves in the one string that zod carries; {@link splitMessage} takes them apart. */
export function joinMessage(expected: string, hint = ""): string {
  return hint === "" ? expected : `${expected}\n${hint}`;
}

export function splitMessage(message: string): { readonly expected: string; readonly hint: string } {
  const end = message.indexOf("\n");
  if (end === -1) return { expected: message, hint: "" };
  return { expected: message.slice(0, end), hint: message.slice(end + 1) };
}
