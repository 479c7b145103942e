import type { Row } from '../view.js';

/** What one check found. A `fail` means that something does not work; a `warn`, that it may soon not. */
export interface Finding {
  check: string;
  status: 'ok' | 'warn' | 'fail';
  detail: string;
  /** What to do about it; not where all is well. */
  nextStep?: string;
}

export function ok(check: string, detail: string): Finding {
  return { check, status: 'ok', detail };
}

export function warn(check: string, detail: string, nextStep: string): Finding {
  return { check, status: 'warn', detail, nextStep };
}

export function fail(check: string, detail: string, nextStep: string): Finding {
  return { check, status: 'fail', detail, nextStep };
}

export function findingRow({ check, status, detail, nextStep }: Finding): Row {
  return { check, status, detail, next_step: nextStep ?? null };
}
