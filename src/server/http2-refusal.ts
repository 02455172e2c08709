/** Types of frames and their flags (RFC 9113 §6). */
const SETTINGS = 0x4;
const HEADERS = 0x1;
const DATA = 0x0;
const GOAWAY = 0x7;
const END_STREAM = 0x1;
const END_HEADERS = 0x4;
/** RFC 9113 §7: HTTP_1_1_REQUIRED. */
const HTTP_1_1_REQUIRED = 0xd;
/** The first request of a client is always this stream; clients send it right behind their preface. */
const FIRST_STREAM = 1;

/**
 * An answer to a client that speaks HTTP/2 where it is not spoken, in the frames that it understands: what it is told in
 * HTTP/1.1 it would take for a broken frame, and its user would see nothing.
 * @param lines names and values in turn
 */
export function http2Refusal(status: number, lines: readonly string[], body: Buffer, reason: string): Buffer {
  const fields = [literal(":status", String(status))];
  for (let i = 0; i < lines.length; i += 2)
    fields.push(literal((lines[i] as string).toLowerCase(), lines[i + 1] ?? ""));
  return Buffer.concat([
    frame(SETTINGS, 0, 0, Buffer.alloc(0)),
    frame(HEADERS, END_HEADERS, FIRST_STREAM, Buffer.concat(fields)),
    frame(DATA, END_STREAM, FIRST_STREAM, body),
    frame(GOAWAY, 0, 0, Buffer.concat([uint32(FIRST_STREAM), uint32(HTTP_1_1_REQUIRED), Buffer.from(reason)])),
  ]);
}

function frame(type: number, flags: number, streamId: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

/** A field that no table holds (RFC 7541 §6.2.2). */
function literal(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.from([0]), text(name), text(value)]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, "latin1");
  return Buffer.concat([length(bytes.length), bytes]);
}

/** With a prefix of seven bits (RFC 7541 §5.1); for up to 16,510. */
function length(value: number): Buffer {
  if (value < 127) return Buffer.from([value]);
  const rest = value - 127;
  return rest < 128 ? Buffer.from([127, rest]) : Buffer.from([127, (rest % 128) + 128, Math.floor(rest / 128)]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
