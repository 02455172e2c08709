import type { Denial } from "../core/errors.js";
import type { Operation } from "../core/operations.js";
import type { RequestShape } from "./request-shapes.js";

// Why a client of a route that the gateway signs does not get what it asked for, each time with the name that decided.

const MAX_SHOWN_LENGTH = 64;

/** A name that the client chose, as a message can hold it. */
function shown(name: string): string {
  const cut = name.length > MAX_SHOWN_LENGTH ? `${name.slice(0, MAX_SHOWN_LENGTH)}…` : name;
  return JSON.stringify(cut);
}

const parameter = (reason: string): Denial => ({ code: "PARAMETER_NOT_ALLOWED", reason });
const header = (reason: string): Denial => ({ code: "HEADER_NOT_ALLOWED", reason });

/** No route can have it. `null`: the gateway signs no operation of the method with that parameter. */
export const parameterRefused = (name: string, shape: RequestShape | null): Denial =>
  parameter(`The gateway signs no ${shape?.name ?? "request of this method"} with the parameter ${shown(name)}.`);

export const overrideRefused = (name: string): Denial =>
  parameter(`This route does not allow the parameter ${shown(name)} (sign.responseOverrides).`);

export const parameterUnknown = (name: string): Denial =>
  parameter(`OSS knows no parameter ${shown(name)}, and only a GET or HEAD may have one.`);

export const parameterRepeated = (name: string): Denial =>
  parameter(`The parameter ${shown(name)} may be there only once.`);

export const valueRefused = (name: string): Denial =>
  name === "x-oss-process"
    ? parameter(`This route does not allow this value of the parameter ${shown(name)} (sign.process).`)
    : parameter(`The gateway signs no request with this value of the parameter ${shown(name)}.`);

export const badlyEncoded = (name: string): Denial =>
  parameter(`The value of the parameter ${shown(name)} is not percent-encoded UTF-8.`);

export const headerRefused = (name: string, shape: RequestShape): Denial =>
  header(`The gateway signs no ${shape.name} with the header ${shown(name)}.`);

/** The same of an `x-oss-*` header, with those that there may be. */
export function ossHeaderRefused(name: string, shape: RequestShape): Denial {
  const admitted = [...shape.ossHeaders].map((admittedName) => admittedName.replace(/-$/, "-*")).join(", ");
  const those = admitted === "" ? "none" : admitted;
  return header(`The gateway signs no ${shape.name} with the header ${shown(name)}; of x-oss-* it takes ${those}.`);
}

export const headerRepeated = (name: string): Denial => header(`The header ${shown(name)} may be there only once.`);

export const headerNeedsOperation = (name: string, operation: Operation): Denial =>
  header(`The header ${shown(name)} needs the operation ${operation}, which this route does not allow (operations).`);

export const signatureUnexpected = (name: string): Denial =>
  header(`The header ${shown(name)} holds a signature, and on this route the gateway signs.`);

export const sourceRefused = (name: string): Denial =>
  header(`The header ${shown(name)} may name only objects of the same bucket, as /bucket/key, percent-encoded.`);

const NOT_SIGNED: Denial = {
  code: "OPERATION_NOT_ALLOWED",
  reason: "The gateway signs no such request: a key or a parameter is missing, or OSS has no operation of this method.",
};

/** OSS has no operation of that shape, or none that the gateway knows. */
export const noOperation = (knownParameter: string | undefined): Denial =>
  knownParameter === undefined ? NOT_SIGNED : parameterRefused(knownParameter, null);

/**
 * The operation exists, and the route does not allow it: what made the request that operation is named.
 * @param firstParameter of those that the operation has room for, if there is one
 */
export function operationRefused(shape: RequestShape, why: string, firstParameter: string | undefined): Denial {
  const { name, marks, markHeader } = shape;
  if (markHeader !== null) return header(`The header ${markHeader} asks for ${name}, ${why}.`);
  const decisive = marks[0] ?? firstParameter;
  if (decisive !== undefined) return parameter(`The parameter ${shown(decisive)} asks for ${name}, ${why}.`);
  return { code: "OPERATION_NOT_ALLOWED", reason: `The request asks for ${name}, ${why}.` };
}
