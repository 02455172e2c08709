import { type AskedRequest, filterSignedRequest } from "../signing/signed-request.js";
import type { IssueRoute, Located } from "./issue-routes.js";
import { IssueRefusal } from "./refusal.js";

/** Whether the gateway would sign the request that is issued: by the filter that will judge it then. */
export function filterProblem({ config, rules }: IssueRoute, asked: Omit<AskedRequest, "bucket">): IssueRefusal | null {
  if (rules === null) return null;
  const filtered = filterSignedRequest(asked, rules);
  return filtered.ok ? null : new IssueRefusal(422, `Route ${config.name} would refuse it: ${filtered.denial.reason}`);
}

/** The decoded key as the route's clients mean it, before its key prefix; `""` is the bucket itself. */
export function clientKey({ route: { config, pathPrefix }, url }: Located): string {
  const path = config.stripPrefix ? url.path.slice(pathPrefix.length) : url.path;
  if (config.target.kind !== "buckets") return path.slice(1);
  const end = path.indexOf("/", 1);
  return end === -1 ? "" : path.slice(end + 1);
}
