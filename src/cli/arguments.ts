import { type ParseArgsConfig, parseArgs } from "node:util";

/**
 * Node's `parseArgs`, strict.
 * @returns what is wrong with the arguments, in a few words, when there is something: `unknown option '--expres'`
 */
export function readArguments<T extends ParseArgsConfig>(config: T): ReturnType<typeof parseArgs<T>> | string {
  try {
    return parseArgs(config);
  } catch (error) {
    return essence((error as Error).message);
  }
}

/** Without Node's advice on positional arguments, which these commands do not take so. */
function essence(message: string): string {
  const [first = ""] = message.split(/\. (?:To|This) |\.?\n/);
  return first.charAt(0).toLowerCase() + first.slice(1);
}
