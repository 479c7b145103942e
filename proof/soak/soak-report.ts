import type { Figures } from '../fault.js';
import type { Check } from '../judge.js';
import type { Provenance } from '../report.js';

export interface Soak {
  minutes: number;
  ran: Provenance;
  outcome: 'held' | 'broken';
  faults: string[];
  figures: Figures;
  checks: Check[];
}
