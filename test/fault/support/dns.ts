import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import type { Test } from "tap";

const TYPE_A = 1;
const TYPE_AAAA = 28;
const NO_SUCH_NAME = 3;
const SERVER_FAILED = 2;
const TTL_S = 1;

/** What the server says about every name: records, or an error. */
export type Records = readonly string[] | "nxdomain" | "servfail";

/** Records of both types, or IPv4 addresses alone; IPv6 addresses are written in full. */
export type Zone = Records | { readonly a: Records; readonly aaaa: Records };

/** A DNS server of one name, on real UDP; ends with the test. */
export class DnsServer {
  readonly #socket: Socket;
  #queries = 0;
  readonly #waiting = new Set<() => void>();
  zone: Zone;

  constructor(t: Test, zone: Zone) {
    this.zone = zone;
    this.#socket = createSocket("udp4", (query, { port, address }) => {
      this.#socket.send(answer(query, this.zone), port, address);
      if (questionType(query) === TYPE_A) this.#queries += 1;
      for (const look of [...this.#waiting]) look();
    });
    t.teardown(() => this.#socket.close());
  }

  /** @returns `ip:port` for `dns.servers` */
  async listen(): Promise<string> {
    this.#socket.bind(0, "127.0.0.1");
    await once(this.#socket, "listening");
    return `127.0.0.1:${this.#socket.address().port}`;
  }

  /** Questions for IPv4 addresses so far. */
  get queries(): number {
    return this.#queries;
  }

  /** Resolves when so many more questions were asked. */
  asked(more: number): Promise<void> {
    const wanted = this.#queries + more;
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.#queries < wanted) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
    });
  }
}

/** Where the question ends: after the name, its type and its class (RFC 1035 §4.1.2). */
function questionEnd(query: Buffer): number {
  let at = 12;
  while (query.readUInt8(at) !== 0) at += query.readUInt8(at) + 1;
  return at + 5;
}

function questionType(query: Buffer): number {
  return query.readUInt16BE(questionEnd(query) - 4);
}

function answer(query: Buffer, zone: Zone): Buffer {
  const end = questionEnd(query);
  const type = questionType(query);
  const records = recordsOf(type, zone);
  const addresses = typeof records === "string" ? [] : records;
  const code = records === "nxdomain" ? NO_SUCH_NAME : records === "servfail" ? SERVER_FAILED : 0;
  const header = Buffer.alloc(12);
  query.copy(header, 0, 0, 2);
  header.writeUInt16BE(0x8180 | code, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(addresses.length, 6);
  return Buffer.concat([header, query.subarray(12, end), ...addresses.map((each) => addressRecord(type, each))]);
}

function recordsOf(type: number, zone: Zone): Records {
  if (typeof zone === "object" && "a" in zone) return type === TYPE_A ? zone.a : type === TYPE_AAAA ? zone.aaaa : [];
  return typeof zone === "string" || type === TYPE_A ? zone : [];
}

/** RFC 1035 §4.1.3, with a pointer to the name of the question. */
function addressRecord(type: number, address: string): Buffer {
  const data =
    type === TYPE_A ? Buffer.from(address.split(".").map(Number)) : Buffer.from(address.replace(/:/g, ""), "hex");
  const record = Buffer.alloc(12);
  record.writeUInt16BE(0xc00c, 0);
  record.writeUInt16BE(type, 2);
  record.writeUInt16BE(1, 4);
  record.writeUInt32BE(TTL_S, 6);
  record.writeUInt16BE(data.length, 10);
  return Buffer.concat([record, data]);
}
