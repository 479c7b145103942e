import { freshRedis } from '@tollgate/testing/redis';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TAKE_SCRIPT } from '../../src/redis/take-script.js';
import { checkAgainstModel, type ModelSubject } from '../limit-model.js';
import { MODEL_COMMANDS, MODEL_RUNS, MODEL_TIME } from '../model-runs.js';
import { argumentsOf, resultOf } from './one-take.js';

/** Far ahead of the real clock, by which Redis expires keys. */
const START_US = BigInt(Date.UTC(2070, 1, 10, 12)) * 1_000n;
const MUTANT_RUNS = 300;

let redis: Redis;
let close: () => Promise<void>;
beforeAll(async () => {
  const server = await freshRedis();
  redis = new Redis(server.url);
  close = server.close;
});
afterAll(async () => {
  redis.disconnect();
  await close();
});

/** The script, with the clock as its last two arguments, so that a test can move it. */
async function subjectOf(script: string): Promise<ModelSubject> {
  await redis.flushdb();
  const byGivenClock = script.replace("redis.call('TIME')", '{ARGV[#ARGV - 1], ARGV[#ARGV]}');
  expect(byGivenClock).not.toBe(script);
  const sha = String(await redis.script('LOAD', byGivenClock));
  return {
    async takeAt(nowUs, request) {
      const clock = [Math.floor(nowUs / 1_000_000), nowUs % 1_000_000];
      return resultOf(await redis.evalsha(sha, ...argumentsOf(request), ...clock), request);
    },
    async expire(organizationId, ids) {
      if (ids.length > 0) await redis.del(ids.map((id) => `tg:{${organizationId}}:${id}`));
    },
  };
}

test('in Redis: any history of takes, pauses, changed limits and expiries is that of exact buckets', MODEL_TIME, async () => {
  const commands = await checkAgainstModel(await subjectOf(TAKE_SCRIPT), START_US, MODEL_RUNS);
  console.info(`${commands} commands in Redis`);
  expect(commands).toBeGreaterThanOrEqual(MODEL_COMMANDS);
});

/** Decides one take. */
const FIXED_WINDOW = `
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local cost, reply, fits = tonumber(ARGV[2]), {now_ms, 1}, true
local used = {}
for i, key in ipairs(KEYS) do
  local kind, amount, detail = ARGV[3 * i + 1], tonumber(ARGV[3 * i + 2]), tonumber(ARGV[3 * i + 3])
  local window = kind == 'rate' and 60000 or 86400000
  used[i] = key .. math.floor(now_ms / window)
  reply[3 * i] = (kind == 'rate' and detail or amount) - tonumber(redis.call('GET', used[i]) or 0)
  reply[3 * i + 1], reply[3 * i + 2] = now_ms + window, reply[3 * i] >= cost and 0 or 1
  fits = fits and reply[3 * i] >= cost
end
if not fits then reply[2] = 0 return reply end
for i = 1, #KEYS do
  reply[3 * i] = reply[3 * i] - cost
  redis.call('INCRBY', used[i], cost)
end
return reply`;

const changed = (from: string, to: string): string => {
  expect(TAKE_SCRIPT).toContain(from);
  return TAKE_SCRIPT.replace(from, to);
};

/** Scripts that count wrongly; the model must notice each. */
const MUTANTS: Record<string, () => string> = {
  'a fixed window in the place of a bucket': () => FIXED_WINDOW,
  'a denial that takes': () => changed('is_allowed and (fits_shadows or not state.is_shadow) and cost or 0', 'cost'),
  'one limit that decides for all': () =>
    changed('fits_shadows = false else is_allowed = false end', 'fits_shadows = false end').replace(
      'tell(is_allowed',
      'if #modes > 0 then is_allowed = states[#modes].wait == 0 end\ntell(is_allowed',
    ),
  'a bucket that grows above its size': () => changed('min(full, bucket.units)', 'bucket.units'),
  'a refill that loses what is no whole request': () =>
    changed('floor((now_us - bucket.at_us) * per_minute)', 'floor((now_us - bucket.at_us) * per_minute / UNITS) * UNITS'),
  'a quota that never begins anew': () => changed('if since_ms < start_ms or since_ms > at_ms then used = 0 end', ''),
  'a look that takes one': () =>
    changed('local cost, modes = tonumber(ARGV[at])', 'local cost, modes = max(1, tonumber(ARGV[at]))'),
};

test.for(Object.entries(MUTANTS))('the model notices %s', async ([, script]) => {
  await expect(checkAgainstModel(await subjectOf(script()), START_US, MUTANT_RUNS)).rejects.toThrow('Property failed');
});
