import type { OnReadOpts } from "node:net";
import t from "tap";
import { slabReader } from "../../../src/transport/slab-reader.js";

/** Reads as a socket would: fills what it is given, and collects what is pushed. */
function reads(options: OnReadOpts, sizes: readonly number[]): { readonly pushed: Buffer[]; readonly room: number[] } {
  const pushed: Buffer[] = [];
  const room: number[] = [];
  const socket = {
    push(piece: Buffer) {
      pushed.push(piece);
      return true;
    },
  };
  for (const [index, wanted] of sizes.entries()) {
    const buffer = typeof options.buffer === "function" ? options.buffer() : options.buffer;
    room.push(buffer.length);
    const byteCount = Math.min(wanted, buffer.length);
    buffer.fill(index % 256, 0, byteCount);
    options.callback.call(socket as never, byteCount, buffer);
  }
  return { pushed, room };
}

t.test("what was read once is never written over, whatever the sizes of the reads", async (t) => {
  const sizes = Array.from({ length: 2_000 }, (_, index) => ((index * 7_919) % 90_000) + 1);
  const { pushed, room } = reads(slabReader(), sizes);
  t.equal(pushed.length, sizes.length);
  t.ok(pushed.every((piece, index) => piece.every((byte) => byte === index % 256)));
  t.ok(room.every((byteCount) => byteCount > 0));
});

t.test("small answers are read into small slabs, fast ones into large ones", async (t) => {
  t.ok(reads(slabReader(), Array(100).fill(200)).room.every((byteCount) => byteCount <= 16 * 1024));
  const fast = reads(slabReader(), Array(100).fill(1024 * 1024)).room;
  t.equal(fast[0], 16 * 1024);
  t.ok(fast.slice(1).every((byteCount) => byteCount >= 64 * 1024));
});

t.test("two connections never share a slab", async (t) => {
  const [one, other] = [slabReader(), slabReader()].map((options) => reads(options, [100, 100]).pushed);
  const buffers = new Set([...(one ?? []), ...(other ?? [])].map((piece) => piece.buffer));
  t.equal(buffers.size, 2);
});

t.test("a socket that wants no more is told so", async (t) => {
  const options = slabReader();
  const buffer = typeof options.buffer === "function" ? options.buffer() : options.buffer;
  t.equal(options.callback.call({ push: () => false } as never, 10, buffer), false);
});
