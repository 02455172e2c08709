import { once } from "node:events";
import { connect } from "node:net";
import t, { type Test } from "tap";
import type { Emulator } from "../../src/emulator/index.js";
import { startEmulator } from "../support/gateway.js";
import { ask, RawClient } from "./support/client.js";
import { Program } from "./support/program.js";
import { configText, fill } from "./support/rig.js";

const SIZE = 1024 * 1024;

interface Running {
  readonly emulator: Emulator;
  readonly program: Program;
  readonly port: number;
  /** In the middle of its body. */
  readonly download: RawClient;
}

/** The program, with a download that stands still in its middle. */
async function startDownload(t: Test, shutdownTimeout = "30s", ...headers: readonly string[]): Promise<Running> {
  const emulator = fill(await startEmulator(t));
  emulator.putGenerated("examplebucket", "big.bin", SIZE);
  emulator.faults.failNext(1, { kind: "stallMidBody", afterBytes: SIZE / 2 });
  const program = new Program(t, configText({ endpoint: emulator.url, limits: { shutdownTimeout } }));
  const port = await program.serves();
  const download = new RawClient(port).sendHead("GET /big.bin HTTP/1.1", ...headers);
  await download.until(({ byteCount }) => byteCount > SIZE / 2);
  return { emulator, program, port, download };
}

async function refusesConnections(port: number): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  const [error] = (await once(socket, "error")) as [NodeJS.ErrnoException];
  return error.code ?? "";
}

t.test("SIGTERM stops accepting, lets a download finish and ends with 0", async (t) => {
  const { emulator, program, port, download } = await startDownload(t);
  // Connections that are open, with and without a request behind them, hold nothing up.
  const idle = new RawClient(port).sendHead("GET /hello.txt HTTP/1.1");
  await idle.until(({ text }) => text.endsWith("hello"));
  const silent = new RawClient(port);
  await once(silent.socket, "connect");
  program.child.kill("SIGTERM");
  await program.until(() => program.stderr.includes("stopping"));
  t.equal(await refusesConnections(port), "ECONNREFUSED");
  t.equal(await idle.closed, null);
  t.equal(await silent.closed, null);
  t.equal(program.child.exitCode, null, "it waits for the download");
  emulator.faults.releaseStalled();
  t.equal(await download.closed, null);
  t.equal(download.byteCount - download.text.indexOf("\r\n\r\n") - 4, SIZE);
  t.equal(await program.exited, 0);
  t.match(program.stderr, '"msg":"stopped"');
  const lines = program.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { status: number; error?: string });
  t.equal(lines.length, 2, "both requests are in the access log");
  t.ok(lines.every(({ status, error }) => status === 200 && error === undefined));
  await emulator.until(() => emulator.openSockets() === 0);
});

t.test("SIGINT does the same", async (t) => {
  const { emulator, program, download } = await startDownload(t);
  program.child.kill("SIGINT");
  await program.until(() => program.stderr.includes("stopping"));
  emulator.faults.releaseStalled();
  t.equal(await download.closed, null);
  t.equal(await program.exited, 0);
});

t.test("an upload that runs at SIGTERM is finished and stored", async (t) => {
  const emulator = fill(await startEmulator(t));
  const program = new Program(t, configText({ endpoint: emulator.url }));
  const port = await program.serves();
  const upload = new RawClient(port).sendHead("PUT /a.txt HTTP/1.1", "Content-Length: 8").send("half");
  await emulator.until(() => emulator.requestsInFlight() === 1);
  program.child.kill("SIGTERM");
  await program.until(() => program.stderr.includes("stopping"));
  upload.send("half");
  t.equal(await upload.closed, null);
  t.match(upload.text, /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\nConnection: close\r\n/i);
  t.equal(await program.exited, 0);
  t.equal(emulator.readObject("examplebucket", "a.txt").toString(), "halfhalf");
});

t.test("what does not finish in shutdownTimeout is cut off, visibly, and the exit status is still 0", async (t) => {
  const { emulator, program, download } = await startDownload(t, "300ms");
  program.child.kill("SIGTERM");
  await download.closed;
  t.ok(download.byteCount < SIZE);
  t.equal(await program.exited, 0);
  await emulator.until(() => emulator.openSockets() === 0);
  t.match(program.stdout, '"error":"CLIENT_GONE"');
});

t.test("a second signal ends it at once, and not with 0", async (t) => {
  const { emulator, program, download } = await startDownload(t);
  program.child.kill("SIGTERM");
  await program.until(() => program.stderr.includes("stopping"));
  program.child.kill("SIGTERM");
  t.not(await program.exited, 0);
  await download.closed;
  t.ok(download.byteCount < SIZE);
  await emulator.until(() => emulator.openSockets() === 0);
});

t.test("a client that keeps asking on one connection is told to close it while the program ends", async (t) => {
  const { emulator, program, port, download } = await startDownload(t);
  emulator.faults.failNext(1, { kind: "stallBeforeHead" });
  const answered = ask(port, "/hello.txt", { headers: { Connection: "keep-alive" } });
  await emulator.until(() => emulator.faults.stalled === 2);
  program.child.kill("SIGTERM");
  await program.until(() => program.stderr.includes("stopping"));
  emulator.faults.releaseStalled();
  t.equal((await answered).headers.connection, "close");
  await download.closed;
  t.equal(await program.exited, 0);
});
