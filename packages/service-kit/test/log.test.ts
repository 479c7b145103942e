import { createLogger } from '@tollgate/service-kit/log';
import { expect, test } from 'vitest';
import { CANARY_KEY, CANARY_PASSWORD, CANARY_URL, hasCanary } from './canaries.js';
import { capturedLog } from './captured-log.js';

test('a line says its level in a word, the time in ISO 8601, and the service', () => {
  const { log, lines } = capturedLog();
  log.warn({ count: 2 }, 'careful');
  expect(lines()).toEqual([
    { level: 'warn', time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/), service: 'test', count: 2, msg: 'careful' },
  ]);
});

test('lines below the level are not written', () => {
  const written: string[] = [];
  const log = createLogger({ service: 'test', level: 'error' }, { write: (line) => written.push(line) });
  log.warn('careful');
  log.error('broken');
  expect(written).toHaveLength(1);
});

test('an error is logged with its stack and its cause', () => {
  const { log, lines } = capturedLog();
  log.error({ err: new Error('no look-up', { cause: new Error('refused') }) }, 'failed');
  expect(lines()[0]).toMatchObject({
    err: { type: 'Error', message: expect.stringContaining('refused'), stack: expect.stringContaining('at ') },
  });
});

test('no secret is logged, whichever way it comes', () => {
  const { log, text, lines } = capturedLog();
  const error = Object.assign(
    new Error(`connect to ${CANARY_URL} with ${CANARY_KEY}`, { cause: new Error(`cause ${CANARY_KEY}`) }),
    {
      url: CANARY_URL,
      request: { headers: { authorization: `Bearer ${CANARY_KEY}`, 'X-Api-Key': ['c4n4ry', CANARY_KEY] } },
    },
  );
  log.error({ err: error }, `failed for ${CANARY_KEY}`);
  log.error(error);
  log.info({ deep: { er: { still: [CANARY_URL, { password: CANARY_PASSWORD, [CANARY_KEY]: 1 }] } } });
  log.child({ key: CANARY_KEY }).info('from a child, %s', CANARY_URL);
  log.info({ headers: { Authorization: 'Basic c4n4ry', cookie: 'c4n4ry=1' }, text: 'password=c4n4ry Bearer c4n4ry' });
  expect(lines()).toHaveLength(5);
  expect(hasCanary(text())).toBe(false);
  expect(text()).toContain('db.internal:5432');
});
