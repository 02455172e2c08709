import { configYaml, showConfig } from "../config/show-config.js";
import { type AdminAnswer, jsonAnswer, textAnswer } from "./admin-answer.js";
import type { Asked } from "./admin-asked.js";

/** `/config`: as it is served, defaults filled in. JSON, or YAML with `?format=yaml`. */
export function answerConfig({ source, rawQuery }: Asked): AdminAnswer {
  const format = new URLSearchParams(rawQuery).get("format") ?? "json";
  if (format === "json") return jsonAnswer(200, showConfig(source.config()));
  if (format === "yaml") return textAnswer(200, configYaml(source.config()));
  return textAnswer(400, "format is json or yaml.");
}
