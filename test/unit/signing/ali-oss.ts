import { createRequire } from "node:module";
import { decodePath, splitTarget } from "../../../src/core/target.js";
import type { RequestToVerify } from "../../../src/signing/verify.js";

// ali-oss has no types of its own; these are the parts that the tests use.
type Values = Record<string, string | number | null>;

export interface AliClient {
  readonly options: { headerEncoding: string };
  authorization(method: string, resource: string, subres: Values, headers: Values): string;
  _getResource(params: { bucket: string; object: string }): string;
  signatureUrl(name: string, options: Record<string, unknown>, strict: boolean): string;
  signatureUrlV4(
    method: string,
    expiresSeconds: number,
    request: { headers: Values; queries: Values },
    objectName: string,
    additionalHeaders?: readonly string[],
  ): Promise<string>;
}

interface AliRequestParams {
  readonly method: string;
  readonly bucket?: string;
  readonly object?: string;
  readonly headers?: Values;
  readonly subres?: Values;
  readonly query?: Values;
  readonly additionalHeaders?: readonly string[];
}

export interface AliSignUtils {
  buildCanonicalString(method: string, resource: string, request: { headers: Values; parameters?: Values }): string;
  getCanonicalRequest(
    method: string,
    request: { headers: Values; queries: Values },
    bucketName: string,
    objectName: string,
  ): string;
  authorizationV4(
    accessKeyId: string,
    accessKeySecret: string,
    region: string,
    method: string,
    request: { headers: Values; queries?: Values },
    bucketName: string,
    objectName: string,
    additionalHeaders?: readonly string[],
  ): string;
}

const load = createRequire(import.meta.url);
const Client = load("ali-oss") as new (options: Record<string, unknown>) => AliClient;
const { createRequest } = load("ali-oss/lib/common/utils/createRequest") as {
  createRequest: (
    this: AliClient,
    params: AliRequestParams,
  ) => { readonly url: string; readonly params: { readonly method: string; readonly headers: Values } };
};
export const aliSignUtils = load("ali-oss/lib/common/signUtils") as AliSignUtils;

export const bucket = "examplebucket";
export const keys = { accessKeyId: "ak", accessKeySecret: "sk" };
const endpoint = "http://oss-cn-hangzhou.aliyuncs.com";

export const aliClient = (options: Record<string, unknown> = {}): AliClient =>
  new Client({ ...keys, bucket, region: "oss-cn-hangzhou", endpoint, ...options });

/** The request that a client sends for a signed URL. */
export function requestOfUrl(method: string, url: string, headers: Values = {}): RequestToVerify {
  const target = url.slice(url.indexOf("/", "http://".length));
  const { rawPath, rawQuery } = splitTarget(target);
  return { method, bucket, key: decodePath(rawPath).slice(1), rawQuery, headers: flatHeaders(headers) };
}

/** The request that ali-oss hands to its HTTP client. */
export function aliRequest(client: AliClient, params: AliRequestParams): RequestToVerify {
  const { url, params: sent } = createRequest.call(client, { bucket, ...params });
  return requestOfUrl(sent.method, url, sent.headers);
}

const flatHeaders = (headers: Values): string[] =>
  Object.entries(headers).flatMap(([name, value]) => [name, String(value)]);
