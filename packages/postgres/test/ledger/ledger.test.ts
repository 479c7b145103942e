import { storeUsage } from '@tollgate/postgres/usage-store';
import { afterAll, describe, onTestFinished, test } from 'vitest';
import { PROMISES } from './ledger-behaves.js';
import type { LedgerSubject } from './ledger-subject.js';
import { plainLedger } from './plain-ledger.js';
import { closeTimescale, timescaleLedger } from './timescale-ledger.js';

const LEDGERS: [string, () => Promise<LedgerSubject>][] = [
  ['plain PostgreSQL', plainLedger],
  ['TimescaleDB', timescaleLedger],
];

afterAll(closeTimescale);

describe.each(LEDGERS)('on %s', (_, open) => {
  test.each(Object.entries(PROMISES))('%s', async (_promise, holds) => {
    const ledger = await open();
    onTestFinished(ledger.close);
    await holds(ledger, storeUsage);
  });
});
