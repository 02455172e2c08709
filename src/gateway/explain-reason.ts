import { type Denial, GatewayError } from "../core/errors.js";

/** Where the stages of a request ended. */
export interface Stop {
  readonly stage: string;
  /** Absent: the stage has answered by itself. */
  readonly denial?: Denial | GatewayError;
}

export const reasonOf = (denial: Denial | GatewayError): string =>
  denial instanceof GatewayError ? denial.message : denial.reason;
