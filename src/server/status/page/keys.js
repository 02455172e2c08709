// Credentials and certificates, and their days.

import { byId, sync } from "./dom.js";
import { fillItem, makeItem } from "./item.js";
import { dayAndTime, span } from "./words.js";

/** How a certificate stands, and what is said of it. */
export function certificateState({ notAfterMs, problem }, nowMs) {
  const days = (notAfterMs - nowMs) / 86_400_000;
  const level = days < BAD_DAYS ? "bad" : days < WARN_DAYS || problem !== null ? "warn" : "good";
  const words = days < 0 ? `expired ${span(nowMs - notAfterMs)} ago` : `${span(notAfterMs - nowMs)} left`;
  return { level, words };
}

const WARN_DAYS = 14;
const BAD_DAYS = 3;
const SHOWN_NAMES = 2;

/** Of many names the first, and how many more there are. */
export function namesOf({ names, file }) {
  if (names.length === 0) return file;
  const more = names.length - SHOWN_NAMES;
  return `${names.slice(0, SHOWN_NAMES).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

function keysOf({ credentials, certificates, nowMs }) {
  const ofCredentials = credentials.map(({ name, isValid, expiresAtMs }) => ({
    key: `credentials/${name}`,
    title: name,
    state: !isValid
      ? "not valid"
      : expiresAtMs === null
        ? "valid, does not expire"
        : `valid, ${span(expiresAtMs - nowMs)} left`,
    level: isValid ? "good" : "bad",
    sub: "credentials",
  }));
  const ofCertificates = certificates.map((certificate) => {
    const { listeners, file, notAfterMs, problem } = certificate;
    const { level, words } = certificateState(certificate, nowMs);
    const place = `certificate of ${listeners.join(", ")}, until ${dayAndTime(notAfterMs)}`;
    const sub = [place, file, problem ?? ""].filter(Boolean).join(" · ");
    return { key: `certificate/${file}`, title: namesOf(certificate), state: words, level, sub };
  });
  return [...ofCredentials, ...ofCertificates];
}

export function showKeys(data) {
  const keys = keysOf(data);
  const none = {
    key: "none",
    title: "None",
    state: "",
    sub: "This configuration signs nothing and has no certificate.",
  };
  sync(byId("keys"), keys.length === 0 ? [none] : keys, ({ key }) => key, makeItem, fillItem);
}
