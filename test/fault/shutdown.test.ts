import { once } from "node:events";
import { connect } from "node:net";
import t, { type Test } from "tap";
import type { Emulator } from "../../src/emulator/index.js";
import { startEmulator } from "../support/gateway.js";
import { RawClient } from "./support/client.js";
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

/** The program, with a download that stands still in its middle; its connection ends behind it. */
async function startDownload(t: Test, shutdownTimeout = "30s"): Promise<Running> {
  const emulator = fill(await startEmulator(t));
  emulator.putGenerated("examplebucket", "big.bin", SIZE);
  emulator.faults.failNext(1, { kind: "stallMidBody", afterBytes: SIZE / 2 });
  const program = new Program(t, configText({ endpoint: emulator.url, limits: { shutdownTimeout } }));
  const port = await program.serves();
  const download = new RawClient(port).sendHead("GET /big.bin HTTP/1.1", "Connection: close");
  await download.until(({ byteCount }) => byteCount > SIZE / 2);
  return { emulator, program, port, download };
}

async function refusesConnections(port: number): Promise<void> {
  for (;;) {
    const socket = connect(port, "127.0.0.1");
    const outcome = await new Promise<string>((resolve) => {
      socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? ""));
      socket.once("connect", () => resolve("connected"));
    });
    socket.destroy();
    if (outcome === "ECONNREFUSED") return;
  }
}

/** Asks on until an answer says that it is the connection's last. @returns how many answers came, those before included */
async function asksUntilLast(client: RawClient): Promise<number> {
  const answers = (): number => client.text.split("HTTP/1.1 200 OK").length - 1;
  while (!/\r\nconnection: close\r\n/i.test(client.text)) {
    const before = answers();
    client.sendHead("GET /hello.txt HTTP/1.1");
    await client.until(({ text }) => answers() > before && text.endsWith("hello"));
  }
  return answers();
}

t.test("SIGTERM stops accepting, lets a download finish and ends with 0", async (t) => {
  const { emulator, program, port, download } = await startDownload(t);
  // Clients that are just about to ask, again or for the first time.
  const idle = new RawClient(port).sendHead("GET /hello.txt HTTP/1.1");
  await idle.until(({ text }) => text.endsWith("hello"));
  const silent = new RawClient(port);
  await once(silent.socket, "connect");
  const half = new RawClient(port).send("GET /hello.txt HTTP/1.1\r\n");
  const seen = new RawClient(port).sendHead("GET /hello.txt HTTP/1.1", "Connection: close");
  await seen.closed;
  program.child.kill("SIGTERM");
  await program.until(() => program.stderr.includes("stopping"));
  // Until the workers have heard of it they accept still.
  await refusesConnections(port);
  const answered = (await asksUntilLast(idle)) + (await asksUntilLast(silent));
  half.send("Host: files.test\r\n\r\n");
  await half.until(({ text }) => text.endsWith("hello"));
  for (const client of [idle, silent, half]) t.equal(await client.closed, null);
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
  t.equal(lines.length, answered + 3, "all requests are in the access log");
  t.ok(lines.every(({ status, error }) => status === 200 && error === undefined));
  await emulator.until(() => emulator.openSockets() === 0);
});

t.test("a client that asks nothing any more holds up the end for clientIdleTimeout at most", async (t) => {
  const emulator = fill(await startEmulator(t));
  const limits = { clientIdleTimeout: "1s", shutdownTimeout: "1h" };
  const program = new Program(t, configText({ endpoint: emulator.url, limits }));
  const idle = new RawClient(await program.serves()).sendHead("GET /hello.txt HTTP/1.1");
  await idle.until(({ text }) => text.endsWith("hello"));
  program.child.kill("SIGTERM");
  t.equal(await idle.closed, null);
  t.equal(await program.exited, 0);
});

t.test("nor for longer than shutdownTimeout", async (t) => {
  const emulator = fill(await startEmulator(t));
  const limits = { clientIdleTimeout: "1h", shutdownTimeout: "1s" };
  const program = new Program(t, configText({ endpoint: emulator.url, limits }));
  const idle = new RawClient(await program.serves()).sendHead("GET /hello.txt HTTP/1.1");
  await idle.until(({ text }) => text.endsWith("hello"));
  program.child.kill("SIGTERM");
  await idle.closed;
  t.equal(await program.exited, 0);
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
  await upload.until(({ text }) => text.startsWith("HTTP/1.1 200 OK\r\n"));
  await asksUntilLast(upload);
  t.equal(await upload.closed, null);
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
  const asking = new RawClient(port).sendHead("GET /hello.txt HTTP/1.1");
  await emulator.until(() => emulator.faults.stalled === 2);
  program.child.kill("SIGTERM");
  await program.until(() => program.stderr.includes("stopping"));
  emulator.faults.releaseStalled();
  await asking.until(({ text }) => text.endsWith("hello"));
  await asksUntilLast(asking);
  t.equal(await asking.closed, null);
  await download.closed;
  t.equal(await program.exited, 0);
});
