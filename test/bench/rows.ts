/** What is measured: a row is a kind of request, the load that makes it, and who takes part. */
import { Secret } from "../../src/core/secret.js";
import { presignV4Url } from "../../src/signing/sign.js";
import {
  BENCH_KEY,
  CONNECTING,
  CONTENDERS,
  type Contender,
  ONE_OR_TWO,
  OSSGATE,
  OSSGATE_HLS,
  OSSGATE_PACED,
  OSSGATE_PACED_FAST,
  OSSGATE_SIGNED,
  OSSGATE_SIPPED,
  OSSGATE_VERIFIED,
  REFUSING,
} from "./contenders.js";
import { connectMany, type LoadResult, type LoadTarget, requestMany, shareAmong, transferMany } from "./load.js";
import { KIB, MIB, PLAYLIST_BYTES } from "./origin.js";

/** How much load, in the unit that the row's `measure` takes: seconds, or transfers. */
export interface Amounts {
  readonly full: number;
  readonly quick: number;
  /** Before the first round, when a just started proxy has its code still to compile. */
  readonly firstWarmUp: number;
  readonly warmUp: number;
}

export interface Row {
  readonly name: string;
  readonly title: string;
  readonly origin: "files" | "uploads";
  /** With its query, where there is one. */
  readonly path: string;
  readonly bodyBytes: number;
  readonly contenders: readonly Contender[];
  readonly amounts: Amounts;
  measure(target: LoadTarget, amount: number): Promise<LoadResult>;
}

const SMALL: Pick<Row, "origin" | "contenders" | "measure"> = {
  origin: "files",
  contenders: CONTENDERS,
  measure: requestMany,
};

const SMALL_AMOUNTS: Amounts = { full: 3, quick: 1, firstWarmUp: 2, warmUp: 1 };
const LARGE_AMOUNTS: Amounts = { full: 6, quick: 4, firstWarmUp: 3, warmUp: 1 };

const SHARED: Pick<Row, "origin" | "path" | "bodyBytes" | "contenders" | "amounts"> = {
  origin: "files",
  path: "/100m",
  bodyBytes: 100 * MIB,
  contenders: [OSSGATE, OSSGATE_PACED],
  amounts: { full: 11, quick: 9, firstWarmUp: 2, warmUp: 2 },
};

export const ROWS: readonly Row[] = [
  {
    ...SMALL,
    name: "1k",
    title: "GET of 1 KiB, 32 kept-alive connections",
    path: "/1k",
    bodyBytes: KIB,
    amounts: SMALL_AMOUNTS,
  },
  {
    ...SMALL,
    name: "signed1k",
    title: "GET of 1 KiB that the gateway signs",
    path: "/1k",
    bodyBytes: KIB,
    contenders: [OSSGATE, OSSGATE_SIGNED],
    amounts: SMALL_AMOUNTS,
  },
  {
    ...SMALL,
    name: "verified1k",
    title: "GET of 1 KiB by a presigned URL, relayed or verified and signed anew",
    path: `/1k?${presigned("1k")}`,
    bodyBytes: KIB,
    contenders: [OSSGATE, OSSGATE_VERIFIED],
    amounts: SMALL_AMOUNTS,
  },
  {
    ...SMALL,
    name: "hls1000",
    title: "GET of a playlist of 1,000 segments, relayed or rewritten",
    path: "/p1000.m3u8",
    bodyBytes: PLAYLIST_BYTES,
    contenders: [OSSGATE, OSSGATE_HLS],
    amounts: { full: 3, quick: 1, firstWarmUp: 2, warmUp: 1 },
  },
  {
    ...SMALL,
    name: "64k",
    title: "GET of 64 KiB, 32 kept-alive connections",
    path: "/64k",
    bodyBytes: 64 * KIB,
    amounts: { full: 2, quick: 1, firstWarmUp: 1, warmUp: 1 },
  },
  {
    name: "get100m",
    title: "GET of 100 MiB, 4 at a time",
    origin: "files",
    path: "/100m",
    bodyBytes: 100 * MIB,
    contenders: CONTENDERS,
    amounts: LARGE_AMOUNTS,
    measure: (target, amount) => transferMany(target, "GET", amount),
  },
  {
    ...SHARED,
    name: "paced",
    title: "4 clients share 20 MiB/s, or all there is: one connection each",
    contenders: [OSSGATE, OSSGATE_PACED_FAST, OSSGATE_SIPPED, OSSGATE_PACED],
    measure: shareAmong([1, 1, 1, 1]),
  },
  {
    ...SHARED,
    name: "paced100",
    title: "4 clients share 20 MiB/s, or all there is: one has 100 connections",
    measure: shareAmong([1, 1, 1, 100]),
  },
  {
    ...SMALL,
    name: "refused",
    title: "GET of 1 KiB that is relayed, or refused",
    path: "/1k",
    bodyBytes: KIB,
    contenders: [OSSGATE, ...REFUSING],
    amounts: SMALL_AMOUNTS,
  },
  {
    name: "put100m",
    title: "PUT of 100 MiB, 4 at a time",
    origin: "uploads",
    path: "/upload",
    bodyBytes: 100 * MIB,
    contenders: CONTENDERS,
    amounts: LARGE_AMOUNTS,
    measure: (target, amount) => transferMany(target, "PUT", amount),
  },
  {
    ...SMALL,
    name: "workers",
    title: "GET of 1 KiB, one worker or two, on one core",
    path: "/1k",
    bodyBytes: KIB,
    contenders: ONE_OR_TWO,
    amounts: SMALL_AMOUNTS,
  },
  {
    ...SMALL,
    name: "connections",
    title: "GET of 1 KiB, a connection for each request, 32 at a time",
    path: "/1k",
    bodyBytes: KIB,
    contenders: CONNECTING,
    amounts: SMALL_AMOUNTS,
    measure: connectMany,
  },
  {
    // Measured apart, by `scrape.ts`.
    ...SMALL,
    name: "scrape",
    title: "the metrics page with 200 routes and 2 workers: see the target",
    path: "/metrics",
    bodyBytes: 0,
    contenders: [],
    amounts: SMALL_AMOUNTS,
  },
];

/** A URL of the bench's own key that outlasts any run. */
function presigned(key: string): string {
  const input = { method: "GET", bucket: "bench-bucket", key, query: [], headers: [] };
  const credentials = { accessKeyId: BENCH_KEY.id, accessKeySecret: new Secret(BENCH_KEY.secret) };
  return presignV4Url(input, credentials, { nowMs: Date.now(), region: "cn-hangzhou", expiresSeconds: 86_400 });
}
