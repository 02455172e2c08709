import { type Denial, ERRORS } from "../core/errors.js";
import { errorHeaders, errorXml } from "./error-document.js";

/** What all answers to one denial have in common, so that a flood that is refused costs little. */
export interface RefusalTemplate {
  readonly status: number;
  /** Name and value in turn, without the request's id. */
  readonly headers: readonly string[];
  /** @param hostId as it stands in an element, escaped */
  xml(requestId: string, hostId: string): string;
}

const templates = new WeakMap<Denial, RefusalTemplate>();

/** @param denial frozen: made once, and handed out again and again */
export function templateOf(denial: Denial): RefusalTemplate {
  let template = templates.get(denial);
  if (template === undefined) {
    template = makeTemplate(denial);
    templates.set(denial, template);
  }
  return template;
}

const REQUEST_ID = "@REQUEST-ID@";
const HOST_ID = "@HOST-ID@";

function makeTemplate(denial: Denial): RefusalTemplate {
  const { code, reason: message, oss } = denial;
  const answer = { code, message, requestId: REQUEST_ID, hostId: HOST_ID, oss };
  const [beforeId = "", rest = ""] = errorXml(answer).split(REQUEST_ID, 2);
  const [beforeHost = "", behind = ""] = rest.split(HOST_ID, 2);
  const headers = errorHeaders(answer);
  const idAt = headers.indexOf(REQUEST_ID) - 1;
  headers.splice(idAt, 2);
  headers.push(...(denial.headers ?? []));
  if (oss !== undefined && oss.ec !== null) headers.push("x-oss-ec", oss.ec);
  return {
    status: oss?.status ?? ERRORS[code].status,
    headers,
    xml: (requestId, hostId) => beforeId + requestId + beforeHost + hostId + behind,
  };
}
