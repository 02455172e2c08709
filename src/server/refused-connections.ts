import type { Socket } from "node:net";
import { ERRORS } from "../core/errors.js";
import { peerOf } from "../gateway/client-address.js";
import type { Gateway } from "../gateway/request-context.js";
import { nextRequestId } from "../gateway/request-id.js";
import type { AccessEntry } from "../telemetry/access-log.js";
import { type HeadFields, headFields } from "../telemetry/head-fields.js";
import { NO_BUCKET } from "../telemetry/stats.js";
import { type Refusal, refuseConnection } from "./refusals.js";

/** Of what was refused so much is read for the log. */
const MAX_LINE_BYTES = 2_048;
const MAX_HEAD_BYTES = 8_192;

/** What is known of a request that never became one; for the log. */
export interface RequestLine {
  readonly method: string;
  readonly target: string;
  /** All of it; empty when it is not known. */
  readonly line: string;
  readonly fields?: HeadFields;
}

const NO_REQUEST_LINE: RequestLine = { method: "", target: "", line: "" };

/** Answers, counts and logs where there is no request to do it for. */
export function refuseAndTell(
  gateway: Pick<Gateway, "stats" | "accessLog" | "mask" | "maskAlways">,
  socket: Socket,
  refusal: Refusal,
  { method, target, line, fields = {} } = NO_REQUEST_LINE,
): void {
  const { stats, accessLog, mask, maskAlways } = gateway;
  const { code, message } = refusal;
  const requestId = nextRequestId();
  const { status } = ERRORS[code];
  stats.unrouted.countRequest({ signature: "anonymous", method, status, bucket: NO_BUCKET, errorCode: code });
  const sentBytes = refuseConnection(socket, refusal, requestId);
  stats.unrouted.buckets.of(NO_BUCKET).sentBytes += sentBytes;
  const entry: AccessEntry = {
    requestId,
    client: peerOf(socket),
    host: "",
    method,
    target: mask(target),
    protocol: "",
    requestLine: line === "" ? undefined : mask(line),
    referer: fields.referer === undefined ? undefined : mask(fields.referer),
    userAgent: fields.userAgent,
    route: stats.unrouted.route,
    status,
    signature: "anonymous",
    receivedBytes: 0,
    sentBytes,
    durationMs: 0,
    error: code,
    detail: message,
  };
  accessLog.write(entry);
  stats.recent.note(entry, undefined, maskAlways);
}

/**
 * The request line of a head that was refused, as far as its last packet shows it; for the log. A packet that is not the
 * connection's first may begin amid a header, a signature say: of such only what is a request line counts.
 */
export function requestLineOf(
  { rawPacket }: NodeJS.ErrnoException & { readonly rawPacket?: Buffer },
  { bytesRead }: Socket,
): RequestLine {
  const head = rawPacket?.toString("latin1", 0, MAX_HEAD_BYTES) ?? "";
  const line = head.slice(0, MAX_LINE_BYTES).split(/[\r\n]/, 1)[0] ?? "";
  const [method = "", target = ""] = /^([A-Z]{3,20}) (\S+)/.exec(line)?.slice(1) ?? [];
  const isFirst = bytesRead === rawPacket?.length;
  const fields = isFirst ? headFields(head) : {};
  return { method, target, fields, line: isFirst || /^[A-Z]{3,20} \S+ HTTP\/\d\.\d$/.test(line) ? line : "" };
}
