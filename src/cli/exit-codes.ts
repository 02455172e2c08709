/** What the program's exit status means. */
export const EXIT = { good: 0, failed: 1, usage: 2, badConfig: 3 } as const;
