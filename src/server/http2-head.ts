/** The head of an HTTP/2 request in the terms of HTTP/1.1, as the gateway reads requests. */
export interface Http2Head {
  readonly method: string;
  readonly target: string;
  /** Without pseudo-headers; `host` first. */
  readonly rawHeaders: string[];
}

/**
 * What HTTP/2 says of a request (RFC 9113 §8.3.1) as HTTP/1.1 would: `:authority` is the Host; where the client wrote a
 * Host too that differs, both are there, which the gateway refuses. Crumbs of cookies are joined (§8.2.3). A body whose
 * length is not told is said to be chunked.
 * @param raw names and values in turn, as they came
 * @param hasBody whether the stream goes on after the head
 */
export function readHttp2Head(raw: readonly string[], hasBody: boolean): Http2Head {
  let [method, target, authority] = ["", "", ""];
  const rest: string[] = [];
  let cookieAt = -1;
  let host: string | null = null;
  let hasLength = false;
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string;
    const value = raw[i + 1] as string;
    if (name === ":method") method = value;
    else if (name === ":path") target = value;
    else if (name === ":authority") authority = value;
    else if (name.startsWith(":")) continue;
    else if (name === "host" && host === null) host = value;
    else if (name === "cookie" && cookieAt !== -1) rest[cookieAt] = `${rest[cookieAt]}; ${value}`;
    else {
      if (name === "cookie") cookieAt = rest.length + 1;
      else if (name === "content-length") hasLength = true;
      rest.push(name, value);
    }
  }
  if (hasBody && !hasLength) rest.push("transfer-encoding", "chunked");
  // The gateway wants to be told that an upload is empty; here the end of the stream has told it.
  else if (!hasLength && (method === "PUT" || method === "POST")) rest.push("content-length", "0");
  return { method, target: isForm(target) ? target : "", rawHeaders: [...hostLines(authority, host), ...rest] };
}

/** HTTP/2 has no absolute form (RFC 9113 §8.3.1). */
function isForm(target: string): boolean {
  return target.startsWith("/") || target === "*";
}

function hostLines(authority: string, host: string | null): readonly string[] {
  if (authority === "") return host === null ? [] : ["host", host];
  if (host === null || host.toLowerCase() === authority.toLowerCase()) return ["host", authority];
  return ["host", authority, "host", host];
}
