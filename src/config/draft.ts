import * as z from "zod";
import type { SocketAddress } from "./gateway-config.js";
import { unwrap, variants } from "./walk-schema.js";

/** Values of a file as far as they are good; what is missing or wrong is `undefined`. Lists keep their indexes. */
export type Draft<T> = T extends SocketAddress | URL | string | number | boolean | null | undefined
  ? T
  : T extends readonly (infer E)[]
    ? readonly (Draft<E> | undefined)[]
    : { readonly [K in keyof T]?: Draft<T[K]> | undefined };

/**
 * Reads every good value out of data that has bad ones beside them, so that one mistake does not hide the others.
 * @returns `undefined` when nothing of it can be used
 */
export function salvage<S extends z.ZodType>(schema: S, data: unknown): Draft<z.output<S>> | undefined {
  return salvageAny(schema, data) as Draft<z.output<S>> | undefined;
}

function salvageAny(schema: z.ZodType, data: unknown): unknown {
  const inner = unwrap(schema);
  if (data === undefined) return valueOrNothing(schema, data);
  if (inner instanceof z.ZodObject) return isMap(data) ? salvageMap(inner.shape, data) : undefined;
  if (inner instanceof z.ZodDiscriminatedUnion) return isMap(data) ? salvageVariant(inner, data) : undefined;
  if (inner instanceof z.ZodArray) {
    return Array.isArray(data) ? data.map((item) => salvageAny(inner.element as z.ZodType, item)) : undefined;
  }
  if (inner instanceof z.ZodRecord) {
    if (!isMap(data)) return undefined;
    const members = Object.entries(data).map(([key, item]) => [key, salvageAny(inner.valueType as z.ZodType, item)]);
    return Object.assign(Object.create(null), Object.fromEntries(members));
  }
  return valueOrNothing(schema, data);
}

function salvageVariant(union: z.ZodDiscriminatedUnion, data: Record<string, unknown>): unknown {
  const member = variants(union).find(([type]) => type === data.type)?.[1];
  return member === undefined ? undefined : salvageMap(member.shape, data);
}

function salvageMap(shape: Record<string, z.ZodType>, data: Record<string, unknown>): unknown {
  return Object.fromEntries(Object.entries(shape).map(([key, child]) => [key, salvageAny(child, data[key])]));
}

function valueOrNothing(schema: z.ZodType, data: unknown): unknown {
  const result = schema.safeParse(data);
  return result.success ? result.data : undefined;
}

function isMap(data: unknown): data is Record<string, unknown> {
  return typeof data === "object" && data !== null && !Array.isArray(data);
}
