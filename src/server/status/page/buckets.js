// Buckets, their addresses, and how near OSS's thresholds are.

import { byId, h, setClass, setText, sync } from "./dom.js";
import { fillItem, makeItem } from "./item.js";
import { byteRate, count, plural, rate, ratio, span } from "./words.js";

export function showBuckets({ buckets }) {
  const make = () => {
    const item = makeItem();
    item.append(h("span", { class: "chips" }));
    return item;
  };
  sync(
    byId("buckets"),
    buckets,
    ({ alias }) => alias,
    make,
    (item, bucket) => {
      const { alias, host, addresses, setAside, inFlight, pools, clockSkewMs, throttled } = bucket;
      const level =
        addresses === 0 || (setAside > 0 && setAside === addresses)
          ? "bad"
          : setAside > 0 || throttled > 0
            ? "warn"
            : "good";
      const state =
        addresses === 0
          ? "no address known"
          : setAside > 0
            ? `${setAside} of ${addresses} set aside`
            : plural(addresses, "address");
      const details = [host, `${inFlight} running`];
      if (throttled > 0) details.push(`OSS refused ${count(throttled)} for load`);
      if (clockSkewMs !== null && Math.abs(clockSkewMs) > 5000)
        details.push(`clock differs by ${span(Math.abs(clockSkewMs))}`);
      fillItem(item, {
        title: alias === bucket.bucket ? alias : `${alias} (${bucket.bucket})`,
        state,
        level,
        sub: details.join(" · "),
      });
      sync(
        item.querySelector(".chips"),
        pools,
        ({ address }) => address,
        () => h("span"),
        (chip, pool) => {
          setClass(chip, `chip ${pool.isSetAside ? "bad" : "good"}`);
          setText(chip, `${pool.address}${pool.isSetAside ? " set aside" : ""}`);
        },
      );
    },
  );
}

const QOS = { Qps: "requests", IngressBandwidth: "bandwidth in", EgressBandWidth: "bandwidth out" };

export function showQuotas({ quotas }) {
  byId("quotas-section").hidden = quotas.length === 0;
  const make = () => {
    const item = makeItem();
    item.append(
      h(
        "span",
        { class: "bar" },
        h("progress", { max: "1", "aria-label": "busiest second of the last minute, as a share" }),
      ),
    );
    return item;
  };
  sync(
    byId("quotas"),
    quotas,
    ({ scope, name, qos }) => `${scope}/${name}/${qos}`,
    make,
    (item, quota) => {
      const { scope, name, qos, threshold, usage, isThrottled, isAlert } = quota;
      const level = isThrottled ? "bad" : isAlert || usage > 0.8 ? "warn" : "good";
      const limit = qos === "Qps" ? rate(threshold) : byteRate(threshold);
      const words = isThrottled ? "OSS throttles now" : isAlert ? "was near in the last 10 minutes" : "far";
      fillItem(item, {
        title: `${scope === "account" ? "account " : ""}${name}: ${QOS[qos]}`,
        state: `${ratio(usage)} of ${limit}`,
        level,
        sub: words,
      });
      setClass(item.querySelector(".bar"), `bar ${level}`);
      item.querySelector("progress").value = Math.min(1, usage);
    },
  );
}
