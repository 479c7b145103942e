import type { Check } from '../judge.js';
import type { Provenance } from '../report.js';
import type { SoakOutcome } from './soak.js';

/** reports/soak.json */
export interface Soak extends SoakOutcome {
  minutes: number;
  ran: Provenance;
  outcome: 'held' | 'broken';
  checks: Check[];
}
