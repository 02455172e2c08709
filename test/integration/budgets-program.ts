/** Starts processes that spend of one budget, and tells them what to do. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Test } from "tap";

export class TestProcess<Command> {
  readonly child: ChildProcess;

  constructor(child: ChildProcess) {
    this.child = child;
  }

  /** @returns what it answers */
  async tell(command: Command): Promise<unknown> {
    const told = this.answer();
    this.child.send({ command });
    return told;
  }

  answer(): Promise<unknown> {
    return new Promise((resolve) => {
      // Not one `once` after the other: of two messages that come together the second would be missed.
      const look = (message: { readonly result?: unknown }): void => {
        if (message.result === undefined) return;
        this.child.off("message", look);
        resolve(message.result);
      };
      this.child.on("message", look);
    });
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exit = once(this.child, "exit");
    this.child.kill("SIGKILL");
    await exit;
  }
}

/** @param program its file, beside this one @param onStart told before it says that it is ready */
export async function startProcess<Command>(
  t: Test,
  program: string,
  options: { readonly args?: readonly string[]; readonly onStart?: (child: ChildProcess) => void } = {},
): Promise<TestProcess<Command>> {
  const child = fork(fileURLToPath(new URL(program, import.meta.url)), options.args ?? [], {
    execArgv: ["--import=tsx"],
  });
  const started = new TestProcess<Command>(child);
  t.teardown(() => started.kill());
  options.onStart?.(child);
  t.equal(await started.answer(), "ready");
  return started;
}

/** For a program: answers each command, and the test when it is ready. */
export function obey<Command>(act: (command: Command) => unknown): void {
  process.on("message", async (message: { readonly command?: Command }) => {
    if (message.command !== undefined) process.send?.({ result: await act(message.command) });
  });
  process.send?.({ result: "ready" });
}
