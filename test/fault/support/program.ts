import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { Test } from "tap";

const CLI = fileURLToPath(new URL("../../../src/cli.ts", import.meta.url));

/** The real program in a process of its own, run on a configuration; it ends with the test. */
export class Program {
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
  readonly configFile: string;
  /** The exit status, or the signal that ended it. */
  readonly exited: Promise<number | string>;
  #stdout = "";
  #stderr = "";
  readonly #waiting = new Set<() => void>();

  /** @param cli of another copy of the program; absent: this one */
  constructor(t: Test, config: string, cli = CLI) {
    this.configFile = join(t.testdir({ "ossgate.yaml": config }), "ossgate.yaml");
    this.child = spawn(process.execPath, ["--import=tsx", cli, "run", "--config", this.configFile], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.child.stdout.on("data", (chunk: Buffer) => {
      this.#stdout += chunk.toString();
      this.#look();
    });
    this.child.stderr.on("data", (chunk: Buffer) => {
      this.#stderr += chunk.toString();
      this.#look();
    });
    this.exited = once(this.child, "close").then(([code, signal]) => {
      this.#look();
      return (code ?? signal) as number | string;
    });
    t.teardown(async () => {
      this.child.kill("SIGKILL");
      await this.exited;
    });
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Resolves with the port of the first listener when the program says that it serves. */
  async serves(): Promise<number> {
    await this.until(() => this.#stderr.includes("ossgate serves"));
    return Number(/"listeners":\[\{[^}]*"port":(\d+)/.exec(this.#stderr)?.[1]);
  }

  /** Resolves when the condition on what was printed holds; rejects when the program ends first. */
  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (condition()) resolve();
        else if (this.child.exitCode !== null) reject(new Error(`it ended: ${this.#stderr}`));
        else return;
        this.#waiting.delete(look);
      };
      this.#waiting.add(look);
      look();
    });
  }

  #look(): void {
    for (const look of [...this.#waiting]) look();
  }
}
