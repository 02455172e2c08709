/** OSS's hotlink protection in its own words (oss-semantics §5), or NGINX's `valid_referers`. */
export interface RefererConfig {
  readonly mode: "enforce" | "report";
  readonly rules:
    | {
        readonly kind: "oss";
        readonly allowEmptyReferer: boolean;
        readonly refererList: readonly string[];
        readonly refererBlacklist: readonly string[];
        readonly allowTruncateQueryString: boolean;
        readonly truncatePath: boolean;
        readonly strict: boolean;
      }
    | { readonly kind: "nginx"; readonly validReferers: readonly string[] };
}

/** OSS's CORS rules (oss-semantics §6). */
export interface CorsConfig {
  readonly rules: readonly {
    readonly allowedOrigins: readonly string[];
    readonly allowedMethods: readonly string[];
    readonly allowedHeaders: readonly string[];
    readonly exposeHeaders: readonly string[];
    readonly maxAgeSeconds: number | null;
  }[];
  readonly allowCredentials: boolean;
  readonly allowPrivateNetwork: boolean;
  /** `Vary: Origin` also where no answer depends on it. */
  readonly responseVary: boolean;
}
