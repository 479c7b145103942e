import { startRedis } from '@tollgate/testing/redis';
import { until } from '@tollgate/testing/until';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Gateway, startGateway } from './gateway.js';
import type { Answer } from './http-client.js';
import { type Key, type Operator, operate } from './operator.js';

/** Promised: from the return of the command to the last request under the old limits. */
const CHANGE_DEADLINE_MS = 1_000;
const DAY_MS = 86_400_000;
const ROUNDS = 10;
/** Longer than the 8 ms of a real installation: the machine that runs the tests runs everything at once. */
const PATIENCE = { RATELIMIT_STORE_TIMEOUT: '40ms' };

interface Store {
  env: Record<string, string>;
  close(): Promise<void>;
}

const STORES: Record<string, () => Promise<Store>> = {
  'in this process': async () => ({ env: {}, close: async () => {} }),
  'in Redis': async () => {
    const redis = await startRedis();
    return { env: { REDIS_URL: redis.url, ...PATIENCE }, close: () => redis.close() };
  },
};

interface Round {
  key: Key;
  ask: (who: Key) => Promise<Answer>;
  /** What the first request of the round has left: whole tokens, and requests of this day. */
  tokens: number;
  today: number;
}

describe.each(Object.entries(STORES))('limits kept %s', (_, openStore) => {
  let gateway: Gateway;
  let operator: Operator;

  beforeAll(async () => {
    const store = await openStore();
    gateway = await startGateway({ env: store.env });
    operator = operate(gateway);
    return async () => {
      await operator.close();
      await gateway.close();
      await store.close();
    };
  });

  const askAs = ({ secret }: Key): Promise<Answer> => gateway.ask('/x', { headers: { 'x-api-key': secret } });

  /**
   * Runs a scenario with a new organization; again where an answer came without the limiter's decision, since a gateway on
   * a machine that is too busy lets requests pass rather than wait.
   */
  async function whenDecided(limits: Wanted, scenario: (round: Round) => Promise<void>): Promise<void> {
    for (let round = 1; ; round++) {
      const key = await limited(operator, limits);
      let undecided = 0;
      const ask = async (who: Key) => {
        const answer = await askAs(who);
        if (!isDecided(answer)) undecided++;
        return answer;
      };
      // The limits of an organization are looked up at its first request, which may take too long for it.
      const { headers } = await until(async () => {
        const answer = await askAs(key);
        return isDecided(answer) && answer;
      });
      const tokens = Number(headers['x-ratelimit-remaining-minute']);
      const today = Number(headers['x-ratelimit-remaining-day']);
      try {
        return await scenario({ key, ask, tokens, today });
      } catch (error) {
        if (undecided === 0 || round === ROUNDS) throw error;
      }
    }
  }

  test('every answer says how much is left, and until when', async () => {
    await whenDecided({ perMinute: 100, burst: 150, perDay: 10_000 }, async ({ key, ask, today }) => {
      const beforeMs = Date.now();
      const answer = await ask(key);
      expect(limitHeaders(answer)).toEqual({
        'x-ratelimit-limit-minute': '100',
        'x-ratelimit-remaining-minute': expect.stringMatching(/^14\d$/),
        'x-ratelimit-reset-minute': expect.stringMatching(/^\d{10}$/),
        'x-ratelimit-limit-day': '10000',
        'x-ratelimit-remaining-day': String(today - 1),
        'x-ratelimit-reset-day': expect.stringMatching(/^\d{10}$/),
      });
      // Less than ten requests of a hundred a minute are refilled within six seconds; reset is in whole seconds.
      expectBetween(Number(answer.headers['x-ratelimit-reset-minute']), beforeMs / 1000, answer.atMs / 1000 + 7);
      expect([nextMidnight(beforeMs), nextMidnight(answer.atMs)]).toContain(Number(answer.headers['x-ratelimit-reset-day']));
    });
  });

  test('a month quota is shown where there is one', async () => {
    const key = await operator.newcomer('basic');
    await operator.setLimits(key.organizationId, { perMonth: 200_000 });
    const { headers } = await shownLimits(() => askAs(key), { 'x-ratelimit-limit-month': '200000' });
    const now = new Date();
    const nextMonth = Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 1) / 1000;
    expect(Number(headers['x-ratelimit-reset-month'])).toBeGreaterThanOrEqual(nextMonth);
    expect(Number(headers['x-ratelimit-remaining-month'])).toBeLessThan(200_000);
  });

  test('exactly the burst passes, however many ask at once; the rest is told when to come back', async () => {
    await whenDecided({ perMinute: 2, burst: 20, perDay: 1_000 }, async ({ key, ask, tokens, today }) => {
      const answers = await Promise.all(Array.from({ length: 50 }, () => ask(key)));
      const denied = answers.filter(({ status }) => status === 429);
      expect([answers.length - denied.length, denied.length]).toEqual([tokens, 50 - tokens]);
      // Those that were denied have cost nothing of the day.
      const least = Math.min(...answers.map(({ headers }) => Number(headers['x-ratelimit-remaining-day'])));
      expect(least).toBe(today - tokens);
      for (const answer of denied) expectDenial(answer);
    });
  });

  function expectDenial(answer: Answer): void {
    const retryAfter = Number(answer.headers['retry-after']);
    expectBetween(retryAfter, 1, 30);
    expect(answer.headers).toMatchObject({
      'content-type': 'application/json',
      'x-ratelimit-limit-minute': '2',
      'x-ratelimit-remaining-minute': '0',
      'x-ratelimit-limit-day': '1000',
    });
    const body = JSON.parse(answer.body);
    expect(body).toEqual({
      error: {
        code: 'rate_limit_exceeded',
        message: expect.any(String),
        details: {
          limit_type: 'minute',
          limit: 2,
          remaining: 0,
          reset_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
          retry_after: retryAfter,
        },
      },
      timestamp: expect.any(String),
      request_id: answer.headers['x-request-id'],
    });
    expectBetween(Date.parse(body.error.details.reset_at), Date.parse(body.timestamp), Date.parse(body.timestamp) + 31_000);
  }

  test('after Retry-After the request passes, even for one who hammered on meanwhile', async () => {
    await whenDecided({ perMinute: 60, burst: 2, perDay: 1_000 }, async ({ key, ask, today }) => {
      let passed = 0;
      let denied = await ask(key);
      while (denied.status === 200) {
        passed++;
        denied = await ask(key);
      }
      const retryAtMs = denied.atMs + Number(denied.headers['retry-after']) * 1_000;
      const hammered: Answer[] = [];
      while (Date.now() < retryAtMs) hammered.push(await ask(key));
      const after = await ask(key);
      // The moment may come while one hammers: then that request took the token.
      passed += [...hammered, after].filter(({ status }) => status === 200).length;
      expect(hammered.filter(({ status }) => status === 429).length).toBeGreaterThan(0);
      expect([...hammered, after].some(({ status }) => status === 200)).toBe(true);
      expect(Number(after.headers['x-ratelimit-remaining-day'])).toBe(today - passed);
    });
  });

  test('a spent day quota denies until midnight UTC, and then takes nothing from the minute', async () => {
    await whenDecided({ perMinute: 10, burst: 100, perDay: 10 }, async ({ key, ask, today }) => {
      const answers: Answer[] = [];
      for (let i = 0; i < today + 2; i++) answers.push(await ask(key));
      expect(answers.map(({ status }) => status)).toEqual([...Array(today).fill(200), 429, 429]);
      const denied = answers.at(-1) as Answer;
      const { error, timestamp } = JSON.parse(denied.body);
      expect(error).toMatchObject({ code: 'quota_exceeded', details: { limit_type: 'day', limit: 10, remaining: 0 } });
      const midnightMs = Date.parse(error.details.reset_at);
      expect(midnightMs % DAY_MS).toBe(0);
      expect(error.details.retry_after).toBe(Number(denied.headers['retry-after']));
      expectBetween(Date.parse(timestamp) + error.details.retry_after * 1_000, midnightMs - 1_000, midnightMs + 2_000);
      expect(Number(denied.headers['x-ratelimit-remaining-minute'])).toBeGreaterThanOrEqual(90);
    });
  });

  test("two keys of one organization share its limit, and a key's own limit holds besides", async () => {
    await whenDecided({ perMinute: 2, burst: 12, perDay: 1_000 }, async ({ key, ask, tokens }) => {
      const other = await operator.createKey(key.organizationId);
      await operator.setLimits(key.organizationId, { perMinute: 1, burst: 3 }, other.keyId);
      await shownLimits(() => ask(other), { 'x-ratelimit-limit-minute': '1' });
      const passes = async (who: Key, requests: number) => {
        const answers = await Promise.all(Array.from({ length: requests }, () => ask(who)));
        return answers.filter(({ status }) => status === 200).length;
      };
      const ofOther = await passes(other, 8);
      expect(ofOther).toBeLessThanOrEqual(2);
      expect(await passes(key, 15)).toBeLessThanOrEqual(tokens - ofOther - 1);
    });
  });

  test('a changed limit and a changed plan hold within a second, without a restart', async () => {
    const key = await operator.newcomer('basic');
    await askAs(key);
    await operator.tollgate('limits', 'set', key.organizationId, '--per-minute', '70', '--burst', '90');
    await shownLimits(() => askAs(key), { 'x-ratelimit-limit-minute': '70', 'x-ratelimit-limit-day': '10000' });
    await operator.tollgate('limits', 'clear', key.organizationId);
    await shownLimits(() => askAs(key), { 'x-ratelimit-limit-minute': '100' });
    await operator.tollgate('org', 'update', key.organizationId, '--plan', 'premium');
    await shownLimits(() => askAs(key), { 'x-ratelimit-limit-minute': '1000', 'x-ratelimit-limit-day': '100000' });
    await operator.tollgate('plan', 'set', 'premium', '--per-minute', '1001');
    await shownLimits(() => askAs(key), { 'x-ratelimit-limit-minute': '1001' });
  });
});

test('what is used of a day is not forgotten by a restart', async () => {
  const gateway = await startGateway();
  const leftToday = async (from: Gateway) => {
    let asked = 0;
    const { headers } = await until(async () => {
      asked++;
      const answer = await from.ask('/x');
      return isDecided(answer) && answer;
    });
    return { asked, left: Number(headers['x-ratelimit-remaining-day']) };
  };
  for (let i = 0; i < 4; i++) await gateway.ask('/x');
  const before = await leftToday(gateway);
  await gateway.interrupt();
  const again = await startGateway({ folder: gateway.folder });
  const after = await leftToday(again);
  await again.interrupt();
  await gateway.close();
  expectBetween(after.left, before.left - after.asked, before.left - 1);
});

test('without Redis traffic goes on, marked as degraded and still limited, until Redis is back', async () => {
  const redis = await startRedis();
  const gateway = await startGateway({ env: { REDIS_URL: redis.url, ...PATIENCE } });
  const operator = operate(gateway);
  try {
    const free = await operator.newcomer();
    const tight = await limited(operator, { perMinute: 2, burst: 10, perDay: 1_000 });
    const askAs = ({ secret }: Key) => gateway.ask('/x', { headers: { 'x-api-key': secret } });
    await until(async () => isDecided(await askAs(free)));
    await redis.kill();
    const during = await Promise.all(Array.from({ length: 30 }, () => askAs(free)));
    expect(new Set(during.map(({ status }) => status))).toEqual(new Set([200]));
    const isMarked = ({ headers }: Answer) => headers['x-ratelimit-degraded'] === 'true';
    await until(async () => isMarked(await askAs(free)), 2_000, 'the mark');
    await until(async () => isMarked(await askAs(tight)));
    const strict = await Promise.all(Array.from({ length: 30 }, () => askAs(tight)));
    const decided = strict.filter(isMarked);
    expect(decided.filter(({ status }) => status === 200).length).toBeLessThan(10);
    expect(strict.every((answer) => answer.status === 429 || answer.status === 200)).toBe(true);
    await redis.start();
    await until(async () => isDecided(await askAs(free)), 10_000, 'the return of Redis');
  } finally {
    await operator.close();
    await gateway.close();
    await redis.close();
  }
});

interface Wanted {
  perMinute: number;
  burst: number;
  perDay: number;
}

async function limited(operator: Operator, limits: Wanted): Promise<Key> {
  const organizationId = await operator.createOrganization('basic');
  await operator.setLimits(organizationId, limits);
  return operator.createKey(organizationId);
}

function isDecided({ headers }: Answer): boolean {
  return headers['x-ratelimit-limit-minute'] !== undefined && headers['x-ratelimit-degraded'] === undefined;
}

/** The first answer that shows these limits. */
function shownLimits(ask: () => Promise<Answer>, wanted: Record<string, string>): Promise<Answer> {
  return until(
    async () => {
      const answer = await ask();
      return Object.entries(wanted).every(([name, value]) => answer.headers[name] === value) && answer;
    },
    CHANGE_DEADLINE_MS,
    JSON.stringify(wanted),
  );
}

function limitHeaders({ headers }: Answer): Record<string, unknown> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith('x-ratelimit-')));
}

function expectBetween(value: number, least: number, most: number): void {
  expect(value).toBeGreaterThanOrEqual(least);
  expect(value).toBeLessThanOrEqual(most);
}

/** Unix seconds. */
function nextMidnight(ms: number): number {
  return ((Math.floor(ms / DAY_MS) + 1) * DAY_MS) / 1000;
}
