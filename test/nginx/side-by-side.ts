/** The same servers in a real NGINX and, by import-nginx, in the gateway, both before one OSS. */
import { join } from "node:path";
import { includesOf, readConfFile } from "../../src/cli/import-nginx-files.js";
import { convertConf } from "../../src/nginx/convert.js";
import { parseConf } from "../../src/nginx/parse.js";
import { startEmulator, startGateway, type Teardown } from "../support/gateway.js";
import { answerTo, head, type RawAnswer, valuesOf } from "../support/raw-client.js";
import { startNginx, TEMPORARY } from "./real-nginx.js";

export const BUCKETS = ["examplebucket", "otherbucket"] as const;
export const passTo = (bucket: (typeof BUCKETS)[number], path = ""): string =>
  `proxy_pass http://${bucket}.oss-cn-beijing-internal.aliyuncs.com${path};`;

export interface Asked {
  readonly method: string;
  readonly target: string;
  readonly headers?: readonly string[];
}

export interface BothAnswers {
  readonly theirs: RawAnswer;
  readonly ours: RawAnswer;
  /** NGINX has not asked OSS. */
  readonly isTheirOwn: boolean;
}

export interface SideBySide {
  readonly yaml: string;
  /** Asks the server of that index, each with all keys in their places. */
  ask(index: number, asked: Asked): Promise<BothAnswers>;
}

/**
 * @param servers what stands in each `server`, but for its name and address
 * @param keys of every bucket
 */
export async function startBoth(
  t: Teardown,
  {
    servers,
    keys,
    http = "",
  }: { readonly servers: readonly string[]; readonly keys: readonly string[]; readonly http?: string },
): Promise<SideBySide> {
  const emulator = await startEmulator(t);
  const fill = (): void => {
    for (const bucket of BUCKETS) for (const key of keys) emulator.putObject(bucket, key, `${bucket} ${key}`);
  };
  for (const name of BUCKETS) emulator.addBucket({ name, region: "cn-beijing", acl: "public-read-write" });
  const { port } = new URL(emulator.url);
  const upstreams = BUCKETS.map(
    (bucket) => `upstream ${bucket}.oss-cn-beijing-internal.aliyuncs.com { server 127.0.0.1:${port}; }`,
  );
  const nginx = await startNginx(t, (listen) => ({
    "nginx.conf": `events {} http { access_log off; ${TEMPORARY} ${http} ${upstreams.join("\n")}
      ${servers.map((server, index) => `server { listen 127.0.0.1:${listen}; server_name ${hostOf(index)};\n${server}\n}`).join("\n")}
    }`,
  }));
  const file = join(nginx.folder, "nginx.conf");
  const parsed = parseConf(readConfFile(file), includesOf(file, null));
  const { yaml } = convertConf(parsed.ok ? parsed.directives : [], { hosts: [] });
  const gateway = await startGateway(
    t,
    `${yaml.replace(`127.0.0.1:${nginx.port}`, "127.0.0.1:0")}admin: { address: "127.0.0.1:0" }\n`,
  );
  fill();
  return {
    yaml,
    async ask(index, { method, target, headers = [] }) {
      const request = head(method, target, ["Host", hostOf(index), ...headers]);
      const theirs = await answerTo(nginx.port, request, method);
      if (method === "DELETE") fill();
      const ours = await answerTo(gateway.port, request, method);
      if (method === "DELETE") fill();
      return { theirs, ours, isTheirOwn: valuesOf(theirs.rawHeaders, "x-oss-request-id").length === 0 };
    },
  };
}

const hostOf = (index: number): string => `h${index}.example.com`;
