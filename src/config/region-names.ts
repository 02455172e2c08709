/** The first labels of a region's endpoints, `oss-cn-beijing` say; before them stands the bucket, behind them `.aliyuncs.com`. */
interface RegionNames {
  readonly public: string;
  readonly internal: string;
  /** `{region}.oss` */
  readonly dualStack: string;
  /** Further endpoints of the same region. */
  readonly others: readonly string[];
}

/**
 * Regions whose endpoints cannot be derived from their ids: the finance cloud (oss-semantics §1.1; help.aliyun.com
 * "regions-and-endpoints"). It has a network of its own (`internal` means that one) and a public side; Hangzhou's has
 * two zones, so `internal` is the public side's there. The government cloud follows the rule.
 */
const EXCEPTIONS: ReadonlyMap<string, RegionNames> = new Map([
  [
    "cn-hangzhou-finance",
    {
      public: "oss-cn-hzfinance",
      internal: "oss-cn-hzfinance-internal",
      dualStack: "cn-hangzhou-finance.oss",
      others: ["oss-cn-hzjbp-a-internal", "oss-cn-hzjbp-b-internal"],
    },
  ],
  [
    "cn-shanghai-finance-1",
    {
      public: "oss-cn-shanghai-finance-1-pub",
      internal: "oss-cn-shanghai-finance-1-internal",
      dualStack: "cn-shanghai-finance.oss",
      others: ["oss-cn-shanghai-finance-1-pub-internal"],
    },
  ],
  [
    "cn-shenzhen-finance-1",
    {
      public: "oss-cn-szfinance",
      internal: "oss-cn-shenzhen-finance-1-internal",
      dualStack: "cn-shenzhen-finance.oss",
      others: ["oss-cn-szfinance-internal"],
    },
  ],
  [
    "cn-beijing-finance-1",
    {
      public: "oss-cn-beijing-finance-1-pub",
      internal: "oss-cn-beijing-finance-1-internal",
      dualStack: "cn-beijing-finance-1.oss",
      others: ["oss-cn-beijing-finance-1-pub-internal"],
    },
  ],
]);

/** @param region bare id; unknown ids follow the general rule */
export function regionNames(region: string): RegionNames {
  const known = EXCEPTIONS.get(region);
  if (known !== undefined) return known;
  const others = region === "cn-hangzhou" ? ["oss", "oss-internal"] : [];
  return { public: `oss-${region}`, internal: `oss-${region}-internal`, dualStack: `${region}.oss`, others };
}
