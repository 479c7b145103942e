import type { StoreLedger } from './ledger-events.js';
import type { LedgerSubject } from './ledger-subject.js';
import { billedCases } from './promises-billing.js';
import { refusedCases } from './promises-refusing.js';
import { storedCases } from './promises-storing.js';

/** A promise, and how it is held; `store` so that a wrong way to store can be put in. */
export type Promises = Record<string, (ledger: LedgerSubject, store: StoreLedger) => Promise<void>>;

/** What every ledger promises, on plain PostgreSQL and on TimescaleDB. */
export const PROMISES: Promises = { ...storedCases, ...refusedCases, ...billedCases };
