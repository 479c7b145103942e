/** The last lines of a run, for whoever comes back to it after an hour. */
import { told } from './judge.js';
import type { FaultResult } from './run-faults.js';

/** It did not hold, or its mutant was not found out, so that nobody knows. */
export function isBad({ outcome, mutant }: FaultResult): boolean {
  return outcome === 'broken' || (outcome === 'held' && mutant.outcome !== 'found out');
}

/** One line for a fault, and one for each figure that does not hold. */
export function summaryOf({ id, title, outcome, reason, checks = [], mutant, seconds }: FaultResult): string[] {
  const broken = checks.filter(({ holds }) => holds === false).map((check) => `       ${told(check)}`);
  const because = reason === undefined ? '' : `: ${reason}`;
  return [`${id.padEnd(4)} ${outcome}${because}; mutant ${mutant.outcome}; ${seconds} s; ${title}`, ...broken];
}
