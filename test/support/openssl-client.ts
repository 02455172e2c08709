import { spawn } from "node:child_process";

export interface Handshake {
  readonly ok: boolean;
  /** All that openssl wrote. */
  readonly text: string;
}

/** One handshake by `openssl s_client`, with a request where one is given. */
export function handshake(port: number, args: readonly string[], input = ""): Promise<Handshake> {
  return new Promise((resolve, reject) => {
    const client = spawn("openssl", ["s_client", "-connect", `127.0.0.1:${port}`, ...args], { stdio: "pipe" });
    let text = "";
    const take = (chunk: Buffer): void => {
      text += chunk.toString("latin1");
    };
    client.stdout.on("data", take);
    client.stderr.on("data", take);
    client.on("error", reject);
    client.on("close", (code) => resolve({ ok: code === 0, text }));
    client.stdin.on("error", () => {});
    client.stdin.end(input);
  });
}
