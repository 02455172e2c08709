import type { Test } from "tap";
import { startGateway, type Teardown, type TestGateway } from "../support/gateway.js";
import { answersTo, answerTo, type RawAnswer, valuesOf } from "../support/raw-client.js";
import { type StrictOrigin, startStrictOrigin } from "../support/strict-origin.js";

export interface BeforeOrigin {
  readonly origin: StrictOrigin;
  readonly gateway: TestGateway;
  readonly port: number;
}

/** `Host: g.test` goes to the origin with every method; `limits` and `bucket` are YAML in one line. */
export async function startBeforeOrigin(t: Teardown, limits = "{}", bucket = "tls: false"): Promise<BeforeOrigin> {
  const origin = await startStrictOrigin(t);
  const gateway = await startGateway(
    t,
    `
listeners: [{ name: web, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
limits: ${limits}
buckets:
  b: { bucket: examplebucket, region: cn-beijing, endpoint: "http://127.0.0.1:${origin.port}", ${bucket} }
routes:
  - { name: all, match: { hosts: [g.test] }, bucket: b, methods: [GET, HEAD, PUT, POST, DELETE] }
`,
  );
  return { origin, gateway, port: gateway.port };
}

export const HOST = "Host: g.test\r\n";

/** A whole request that must not be executed, and would be if the gateway read on. */
export const HIDDEN = `DELETE /hidden HTTP/1.1\r\n${HOST}\r\n`;

/** What the gateway's own answer says of its code. */
export function codeOf(answer: RawAnswer | undefined): string | undefined {
  return answer === undefined ? undefined : valuesOf(answer.rawHeaders, "x-ossgate-error")[0];
}

/** The targets that reached the origin, after everything on its way there has arrived. */
export async function targetsAtOrigin({ origin, gateway, port }: BeforeOrigin): Promise<string[]> {
  await answerTo(port, `GET /marker HTTP/1.1\r\n${HOST}\r\n`);
  await origin.until(() => gateway.gateway.runtime.upstreams.get("b")?.inFlight === 0);
  return origin.requests.map(({ method, target }) => `${method} ${target}`).filter((text) => text !== "GET /marker");
}

/** Holds a request to be refused with one answer, alone and with a hidden request behind it. */
export async function isRefused(t: Test, world: BeforeOrigin, bytes: string, status: number, code: string) {
  for (const sent of [bytes, bytes + HIDDEN]) {
    world.origin.clear();
    const answers = await answersTo(world.port, sent);
    t.same(
      answers.map((answer) => [answer.status, codeOf(answer)]),
      [[status, code]],
      "one answer, and the end of the connection",
    );
    t.same(await targetsAtOrigin(world), [], "nothing arrives at the origin");
    t.same(world.origin.violations, []);
  }
}
