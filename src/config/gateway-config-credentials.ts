/** Where a secret is; the secret itself is never in the file. */
export type SecretRef =
  | { readonly kind: "env"; readonly name: string }
  | { readonly kind: "file"; readonly path: string };

/** What signs for the gateway: where it comes from (oss-semantics §8). */
export type CredentialsConfig =
  | { readonly type: "env" }
  | { readonly type: "file"; readonly path: string }
  | {
      readonly type: "ecsRamRole";
      /** `null`: the role that the metadata service names. */
      readonly roleName: string | null;
      /** Base of the metadata service, without trailing slash. */
      readonly metadataUrl: string;
    }
  | {
      readonly type: "assumeRole";
      readonly roleArn: string;
      /** The credentials that ask STS, by name. */
      readonly from: string;
      readonly sessionName: string;
      readonly durationSeconds: number;
      readonly externalId: string | null;
      /** A session policy, JSON. */
      readonly policy: string | null;
      readonly stsEndpoint: string;
    }
  | {
      readonly type: "oidcRole";
      /** `null` in these three: ALIBABA_CLOUD_ROLE_ARN, _OIDC_PROVIDER_ARN, _OIDC_TOKEN_FILE. */
      readonly roleArn: string | null;
      readonly providerArn: string | null;
      readonly tokenFile: string | null;
      readonly sessionName: string;
      readonly durationSeconds: number;
      readonly stsEndpoint: string;
    }
  | { readonly type: "credentialsUri"; readonly url: string }
  | { readonly type: "default" };
