import type { OssCredentials } from "../core/secret.js";
import { signaturesEqual } from "./canonical.js";
import type { Mismatch, MismatchCause, Place } from "./mismatch-causes.js";
import { mutationsOf } from "./mismatch-guesses.js";
import { hopMarks, signedParts } from "./mismatch-suspects.js";
import { signatureFlaw } from "./signature-form.js";
import { type Reading, type StatedSignature, signatureOf, signedText, stringToSign } from "./signed-text.js";
import { type Difference, decodedResource, diffSignedTexts, textChange } from "./string-to-sign-diff.js";

/** What OSS says that it computed. */
export interface OssText {
  /** The element StringToSign, as characters. */
  readonly stringToSign: string;
  /** Of V4; `null`: the answer had none. */
  readonly canonicalRequest: string | null;
  /** The signature that it got; absent or `null`: the answer did not say. */
  readonly signatureProvided?: string | null;
}

export interface MismatchInput {
  readonly oss: OssText;
  readonly stated: StatedSignature;
  /** As the client's request arrived at the gateway. */
  readonly received: Reading;
  /** As it left the gateway. */
  readonly sent: Reading;
  /** The path of the request as it arrived, not decoded. */
  readonly rawPath: string;
  /** Host names under which the bucket is known: what a client may have signed. */
  readonly hosts: Iterable<string>;
  /** The pair with the stated id, where the gateway knows it. */
  readonly credentials: OssCredentials | null;
}

/**
 * Says why OSS answered SignatureDoesNotMatch, from what OSS signed itself (oss-semantics §2.7, §7.2). A text that has not
 * the form of a signature is none, whatever was signed. Where OSS's text is another than that of the request as it left
 * the gateway, somebody behind the gateway changed it. Where all texts agree, it is the client's signature that is of
 * another request, or made with another secret: which, can be proven with the secret alone. Without it marks of the
 * request make some changes likely; where it has none, nobody can tell a change on the way here from a wrong secret.
 */
export function explainMismatch(input: MismatchInput): Mismatch {
  const flawed = flawedSignature(input.stated);
  if (flawed !== null) return flawed;
  const { oss, stated, received, sent } = input;
  const { signatureClass } = stated;
  const differences = (before: string, after: string, { bucket, key }: Reading) =>
    diffSignedTexts(before, after, { signatureClass, resource: bucket === "" ? "/" : `/${bucket}/${key}` });
  const sentText = signedText(sent, stated);
  const ossText = stated.scope === null ? oss.stringToSign : oss.canonicalRequest;
  if (ossText !== null && ossText !== sentText) {
    return named(firstOf(differences(sentText, ossText, sent)), stated, "behind");
  }
  if (isOtherScope(oss, sentText, stated)) {
    return found(ossText === null ? "key-changed" : "region-mismatch", { place: "behind", isProven: true });
  }
  const provided = oss.signatureProvided?.trim() ?? stated.signature;
  if (provided !== stated.signature) {
    const cut = flawedSignature({ ...stated, signature: provided });
    return { ...(cut ?? found("signature-changed", { place: "behind", isProven: true })), place: "behind" };
  }
  const receivedText = signedText(received, stated);
  if (receivedText !== sentText) {
    return named(firstOf(differences(receivedText, sentText, received)), stated, "gateway");
  }
  return explainAsSigned(input, receivedText);
}

/** The cause that needs no comparison: the text is cut, or written otherwise, so that it is no signature; `null`: it is one. */
export function flawedSignature(stated: StatedSignature): Mismatch | null {
  const flaw = signatureFlaw(stated);
  if (flaw === null) return null;
  if (flaw.isPlusAsSpace) return found("plus-as-space", { name: "the signature", place: "before", isProven: true });
  return found("signature-cut", { name: flaw.inWords, place: "before", isProven: true });
}

function found(
  cause: MismatchCause,
  rest: Pick<Mismatch, "place" | "isProven"> & Partial<Pick<Mismatch, "name" | "suspects">>,
): Mismatch {
  return { cause, name: null, suspects: [], ...rest };
}

/** Whether V4's date, region or hash are others, although the canonical request is the same or was not told. */
function isOtherScope({ stringToSign: ofOss }: OssText, sentText: string, stated: StatedSignature): boolean {
  return stated.scope !== null && ofOss !== "" && ofOss !== stringToSign(sentText, stated);
}

function explainAsSigned(input: MismatchInput, receivedText: string): Mismatch {
  const { stated, received, credentials, rawPath, hosts } = input;
  const hasHop = hopMarks(received.headers).length > 0;
  const guesses = mutationsOf({ reading: received, stated, rawPath, hosts, hasHop });
  const suspects = signedParts(received, stated);
  const undecided = found("changed-before-or-wrong-secret", { place: "before", isProven: false, suspects });
  if (credentials === null) {
    const likely = guesses.find(({ isTelling }) => isTelling);
    if (likely !== undefined)
      return found(likely.mismatch.cause, { ...likely.mismatch, place: "before", isProven: false });
    return undecided;
  }
  const isSigned = (text: string) => signaturesEqual(signatureOf(text, stated, credentials), stated.signature);
  // Our secret made the signature of exactly this request, and OSS has another one under this id.
  if (isSigned(receivedText)) return found("wrong-secret", { place: "before", isProven: true });
  for (const { mismatch, reading } of guesses) {
    if (isSigned(signedText(reading, stated))) {
      return found(mismatch.cause, { ...mismatch, place: "before", isProven: true });
    }
  }
  return undecided;
}

const firstOf = (differences: readonly Difference[]): Difference | null => differences[0] ?? null;

function named(difference: Difference | null, stated: StatedSignature, place: Place): Mismatch {
  const known = difference === null ? { cause: "key-changed" as const, name: null } : causeOf(difference, stated);
  return found(known.cause, { ...known, place, isProven: true });
}

function causeOf({ part, name, before, after }: Difference, stated: StatedSignature): Pick<Mismatch, "cause" | "name"> {
  switch (part) {
    case "method":
      return { cause: "method-changed", name: `${before} became ${after}` };
    case "header":
      return { cause: headerCause(name as string, before, after), name };
    case "additional-headers":
      return { cause: "header-changed", name: "authorization" };
    case "payload":
      return { cause: "header-changed", name: "x-oss-content-sha256" };
    case "date":
      return { cause: "date-changed", name: null };
    case "resource":
      return { cause: resourceCause(before ?? "", after ?? "", stated), name: null };
    case "query": {
      const isBlank = before !== null && after !== null && plusOrSpace(before) === plusOrSpace(after);
      return { cause: isBlank ? "plus-as-space" : "query-changed", name };
    }
  }
}

const plusOrSpace = (text: string): string => text.replace(/\+|%20|%2B/g, " ");

function headerCause(name: string, before: string | null, after: string | null): MismatchCause {
  if (name === "host") return "host-signed";
  if (name === "date" || name === "x-oss-date") return "date-changed";
  if (before === null) return name === "content-type" ? "content-type-added" : "header-added-by-hop";
  return after === null ? "header-removed" : "header-changed";
}

function resourceCause(before: string, after: string, { signatureClass }: StatedSignature): MismatchCause {
  const isEncoded = !signatureClass.startsWith("v1");
  const [was, is] = [decodedResource(before, isEncoded), decodedResource(after, isEncoded)];
  if (bucketOf(was) !== bucketOf(is)) return "bucket-changed";
  const change = textChange(was, is);
  if (change === "encoded-twice") return "key-encoded-twice";
  if (change === "decoded") return "key-decoded";
  return change === "plus-as-space" ? "plus-as-space" : "key-changed";
}

const bucketOf = (resource: string): string => resource.split("/", 2)[1] ?? "";
