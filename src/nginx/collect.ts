import { DATA_BLOCKS, type Directive } from "./directive.js";
import type { Finding, Findings } from "./findings.js";
import { remarkOn } from "./known.js";
import { Scope } from "./scope.js";
import { locationsOf } from "./servers.js";
import { type Maps, variablesIn } from "./variables.js";

interface Collected {
  readonly findings: Findings;
  readonly http: Scope;
  readonly maps: Maps;
  /** Locations that have neither a route nor closed paths. */
  readonly leftOut: ReadonlySet<Directive>;
}

/** What became of each directive, in their order; of those that nobody said anything about, what is known of their kind. */
export function collectFindings(all: readonly Directive[], collected: Collected): readonly Finding[] {
  const { findings, leftOut } = collected;
  const found: Finding[] = [];
  const visit = (directives: readonly Directive[], isLeftOut: boolean): void => {
    for (const directive of directives) {
      const own = findings.of(directive);
      if (own.length > 0) found.push(...own);
      else found.push({ directive, ...(isLeftOut ? LEFT_OUT : remark(directive, collected)) });
      if (directive.block !== null && !DATA_BLOCKS.has(directive.name))
        visit(directive.block, (isLeftOut && directive.name !== "location") || leftOut.has(directive));
    }
  };
  visit(all, false);
  return found;
}

function remark(
  directive: Directive,
  collected: Collected,
): { readonly verdict: Finding["verdict"]; readonly text: string } {
  if (directive.name === "include" && directive.args[1] !== undefined) {
    const isNeedless = /mime\.types$|modules-enabled/.test(directive.args[0] ?? "");
    return isNeedless ? remarkOn("include") : { verdict: "not supported", text: directive.args[1] };
  }
  const variable = { map: directive.args[1], set: directive.args[0] }[directive.name as "map" | "set"];
  if (variable !== undefined && isUsed(variable.replace(/[${}]/g, "").toLowerCase(), collected))
    return { verdict: "taken over", text: "its values are put in where it is used" };
  if (directive.name === "upstream" || directive.name === "return" || directive.name === "if")
    return OUT_OF_PLACE[directive.name] ?? remarkOn(directive.name);
  return remarkOn(directive.name);
}

/** Whether a variable decides where requests go. */
function isUsed(variable: string, { http, maps }: Collected): boolean {
  const scopes = http.own("server").flatMap(({ block }) => locationsOf(new Scope(block ?? [], http)));
  return scopes.some(({ scope }) =>
    [...scope.own("proxy_pass"), ...scope.all("proxy_set_header")].some(({ args }) =>
      variablesIn(args.join(" "), { scope, maps, host: null }).has(variable),
    ),
  );
}

const LEFT_OUT = { verdict: "not supported", text: "its location is not taken over" } as const;

const OUT_OF_PLACE: Readonly<Record<string, Pick<Finding, "verdict" | "text">>> = {
  upstream: { verdict: "taken over", text: "its servers are the bucket's endpoint where a proxy_pass names it" },
  return: {
    verdict: "not supported",
    text: "answers of the gateway's own are not written; /healthz is on the admin listener",
  },
  if: { verdict: "not supported", text: "nothing is decided by such conditions: see referer, methods, allow and deny" },
};
