import type { Redis } from "ioredis";
import { RateLimiterRedis } from "rate-limiter-flexible";
import type { Booking } from "./credit-holder.js";
import type { CreditShare } from "./credit-share.js";

/**
 * A token bucket in place of the library's fixed windows, at whose edges twice the rate could pass. As the library
 * calls it: ARGV 1 is what is booked (below 0: given back), 2 what is to be left to others plus 1 (the library's
 * `customDuration`, which must be above 0), 3 what the pot holds, 4 the seconds in which one comes in.
 * Answers what the pot lacks, and the milliseconds until the booking is paid; below 0: it was not booked, and may be
 * tried again in so many. The same rules as in `credit-root.ts`.
 */
const POT_SCRIPT = `
local count, reserve, pot = tonumber(ARGV[1]), tonumber(ARGV[2]) - 1, tonumber(ARGV[3])
local msEach = tonumber(ARGV[4]) * 1000
local now = redis.call('TIME')
now = now[1] * 1000 + now[2] / 1000
local known = redis.call('HMGET', KEYS[1], 'level', 'atMs')
local level = pot
if known[1] and known[2] then
  level = math.min(pot, tonumber(known[1]) + math.max(0, now - tonumber(known[2])) / msEach)
end
local waitMs = 0
if count < 0 then
  level = math.min(pot, level - count)
elseif reserve == 0 or count > pot then
  level = math.max(level - count, -pot - 60000 / msEach)
  waitMs = math.ceil(math.max(0, -level) * msEach)
else
  local missing = count + math.min(reserve, pot - count) - level
  if missing <= 0.000001 then level = level - count else waitMs = -math.max(1, math.ceil(missing * msEach)) end
end
redis.call('HSET', KEYS[1], 'level', string.format('%.6f', level), 'atMs', string.format('%.3f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil((pot - level) * msEach) + 1000)
return {math.max(0, math.min(pot, math.ceil(pot - level))), waitMs}`;

/** The pot of a budget, or of each client's, in Redis or Valkey. One that is full takes no memory there. */
export class SharedPot {
  readonly #share: CreditShare;
  readonly #limiter: RateLimiterRedis;
  readonly #prefix: string;
  readonly #keyPrefix: string;

  constructor(client: Redis, prefix: string, share: CreditShare) {
    this.#share = share;
    this.#keyPrefix = keyPrefixOf(prefix, share);
    this.#prefix = prefix;
    this.#limiter = new RateLimiterRedis({
      storeClient: client,
      keyPrefix: this.#keyPrefix,
      points: share.pot,
      duration: 1 / share.ratePerSecond,
      rejectIfRedisNotReady: true,
      customIncrTtlLuaScript: POT_SCRIPT,
    });
  }

  /** Whether the share is of the size still that it had. */
  isOfSize(share: CreditShare): boolean {
    return keyPrefixOf(this.#prefix, share) === this.#keyPrefix;
  }

  /**
   * @returns milliseconds until it is paid; below 0: it was not booked, see {@link CreditRoot.book}
   * @throws Error when the server does not answer in time
   */
  async book({ line, count }: Booking): Promise<number> {
    const { burst, pot } = this.#share;
    this.#limiter.points = pot;
    const customDuration = 1 + Math.round((line.reserve * pot) / burst);
    const { msBeforeNext } = await this.#limiter.consume(line.client || "all", count, { customDuration });
    return msBeforeNext;
  }
}

/** Another size is another budget, as in `credit-root.ts`: machines that are configured otherwise share nothing. */
function keyPrefixOf(prefix: string, { key, ratePerSecond, burst, leastCredit }: CreditShare): string {
  return `${prefix}:${key}:${ratePerSecond}:${burst}:${leastCredit}`;
}
