import { randomUUID } from "node:crypto";
import type { OssCredentials } from "../core/secret.js";
import type { Timeouts } from "./ask.js";
import { type Clock, SYSTEM_CLOCK } from "./clock.js";
import { CredentialsError, type CredentialsProvider } from "./provider.js";
import { signedRpcForm } from "./rpc-signature.js";
import type { CredentialsSource } from "./source.js";
import { askSts, commonParameters, StsRefusal, stsUrl } from "./sts.js";

export interface AssumeRoleOptions {
  readonly roleArn: string;
  /** Whose credentials ask STS. */
  readonly from: CredentialsSource;
  readonly sessionName: string;
  readonly durationSeconds: number;
  readonly externalId: string | null;
  /** A session policy, JSON. */
  readonly policy: string | null;
  readonly stsEndpoint: string;
  readonly clock?: Clock;
  readonly timeouts?: Timeouts;
}

/** What STS says when the asking credentials themselves are wrong, and not what they may do. */
const ASKER_REFUSED = /^(InvalidAccessKeyId|InvalidSecurityToken|SignatureDoesNotMatch|IncompleteSignature)\b/;

/**
 * AssumeRole of STS (oss-semantics §8.1).
 *
 * Not the vendor's provider: it knows https alone, puts the security token into the target and whole answers into messages,
 * and with `DEBUG=sign` prints what it signs.
 * @throws CredentialsError for an endpoint that must not be asked
 */
export function assumeRoleProvider(options: AssumeRoleOptions): CredentialsProvider {
  const endpoint = stsUrl(options.stsEndpoint);
  const { from, clock = SYSTEM_CLOCK, timeouts } = options;
  return {
    fetch: async (signal) => {
      await from.start();
      const asker = from.current(clock.nowMs());
      if (asker === null)
        throw new CredentialsError(`the credentials ${from.name}, which ask for the role, are not available`);
      const parameters = assumeRoleParameters(options, asker, clock.nowMs());
      const form = signedRpcForm(parameters, asker.accessKeySecret);
      try {
        return await askSts({ endpoint, form, signal, ...(timeouts && { timeouts }) });
      } catch (error) {
        if (error instanceof StsRefusal && ASKER_REFUSED.test(error.code)) from.noteRefused(asker.accessKeyId);
        throw error;
      }
    },
  };
}

function assumeRoleParameters(
  options: AssumeRoleOptions,
  { accessKeyId, securityToken }: OssCredentials,
  nowMs: number,
): ReadonlyMap<string, string> {
  const { roleArn, sessionName, durationSeconds, externalId, policy } = options;
  return new Map([
    ...commonParameters("AssumeRole", nowMs),
    ["SignatureMethod", "HMAC-SHA1"],
    ["SignatureVersion", "1.0"],
    ["SignatureNonce", randomUUID()],
    ["AccessKeyId", accessKeyId],
    ...optional("SecurityToken", securityToken),
    ["RoleArn", roleArn],
    ["RoleSessionName", sessionName],
    ["DurationSeconds", String(durationSeconds)],
    ...optional("ExternalId", externalId),
    ...optional("Policy", policy),
  ]);
}

function optional(name: string, value: string | null | undefined): readonly [string, string][] {
  return value === null || value === undefined ? [] : [[name, value]];
}
