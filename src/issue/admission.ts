import type { RouteConfig } from "../config/gateway-config.js";
import { IssueRefusal } from "./refusal.js";

/**
 * Whether a route lets in what its bearer signed with OSS credentials. What needs a link besides is refused here: it
 * would end in 403. A client's address is not known here, so `allow.clients` is taken to hold it.
 */
export function admissionProblem({ name, allow, satisfy, clientSignatures }: RouteConfig): IssueRefusal | null {
  if (allow === null || allow.anyone) return null;
  const admitsSignatures = allow.signatures && clientSignatures === "verify";
  const members = [allow.clients.length > 0, allow.links !== null, allow.signatures].filter(Boolean).length;
  const needsAll = satisfy === "all" && members > 1;
  const isAdmitted = needsAll ? allow.links === null : allow.clients.length > 0 || admitsSignatures;
  if (isAdmitted) return null;
  return cannot(`Route ${name} admits nobody without a link, and a signature of OSS is none.`);
}

/** Whether a route honours URLs that were signed for OSS, for the key that the URL shows. */
export function presignProblem(route: RouteConfig): IssueRefusal | null {
  const { name, auth, clientSignatures, keyPrefix, stripPrefix, match } = route;
  if (auth === "sign" && clientSignatures === "refuse") {
    return cannot(
      `Route ${name} signs for its clients and refuses presigned URLs. Set its clientSignatures to relay or verify.`,
    );
  }
  // The gateway verifies the key that it reads, and that is what is signed.
  if (auth === "sign" && clientSignatures === "verify") return null;
  const changes = stripPrefix && match.pathPrefix !== "/" ? "stripPrefix" : "keyPrefix";
  if (changes === "keyPrefix" && keyPrefix === "") return null;
  return cannot(`Route ${name} changes the key (${changes}), so a presigned URL would not hold there.`);
}

/** Whether a route hands a form upload on untouched; the form names its key itself. */
export function formProblem({ name, auth, clientSignatures, keyPrefix }: RouteConfig): IssueRefusal | null {
  if (auth === "sign" && clientSignatures !== "relay") {
    return cannot(`Route ${name} signs for its clients; a form upload needs a route with auth: relay.`);
  }
  return keyPrefix === "" ? null : cannot(`Route ${name} has a keyPrefix, which a form upload cannot get.`);
}

export function methodProblem({ name, methods }: RouteConfig, method: string): IssueRefusal | null {
  if (methods.includes(method)) return null;
  return cannot(`Route ${name} allows ${methods.join(", ")}, and not ${method}.`);
}

function cannot(message: string): IssueRefusal {
  return new IssueRefusal(422, message);
}
