import { parseDocument } from "yaml";
import { parseSocketAddress } from "./address.js";
import type { SecretRef, SocketAddress } from "./gateway-config.js";
import { Refusal } from "./refusal.js";

/** Where the admin listener is, and what opens it. */
export interface AdminPlace {
  readonly address: SocketAddress;
  readonly bearerSecret: SecretRef | null;
}

/** As the schema says. */
export const DEFAULT_ADMIN_ADDRESS: SocketAddress = { host: "127.0.0.1", port: 9180 };

/**
 * The admin listener of a configuration file, whatever else is wrong with the file: a gateway must be told of a bad file
 * too. What cannot be read counts as not written.
 */
export function findAdminPlace(text: string): AdminPlace {
  const admin = fieldsOf(fieldsOf(readLoosely(text)).admin);
  const parsed = typeof admin.address === "string" ? parseSocketAddress(admin.address) : DEFAULT_ADMIN_ADDRESS;
  return {
    address: parsed instanceof Refusal ? DEFAULT_ADMIN_ADDRESS : parsed,
    bearerSecret: secretRefOf(fieldsOf(admin.bearerSecret)),
  };
}

function readLoosely(text: string): unknown {
  try {
    return parseDocument(text, { uniqueKeys: false, logLevel: "silent" }).toJS();
  } catch {
    return null;
  }
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function secretRefOf({ env, file }: Readonly<Record<string, unknown>>): SecretRef | null {
  if (typeof env === "string") return { kind: "env", name: env };
  return typeof file === "string" ? { kind: "file", path: file } : null;
}
