import type { IncomingMessage } from "node:http";
import type { GuardOptions } from "./admin-guard.js";
import type { AdminSource } from "./admin-source.js";
import type { StatusPage } from "./status/status-page.js";

/** What a page is asked. */
export interface Asked {
  readonly req: IncomingMessage;
  /** Without `?`. */
  readonly rawQuery: string;
  readonly source: AdminSource;
  readonly guard: GuardOptions;
  readonly status: StatusPage;
}
