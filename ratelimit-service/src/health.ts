/** How a part of the service is, as its health page shows it. */
export interface PartState {
  status: 'ok' | 'degraded';
  detail?: string;
}

const OK: PartState = { status: 'ok' };

export function databaseState(isConnected: boolean): PartState {
  return isConnected ? OK : degraded('the database is unreachable; the last known limits stay in force');
}

export function storeState(isDegraded: boolean, storeDown: string): PartState {
  return isDegraded ? degraded(`the store is gone; RATELIMIT_STORE_DOWN=${storeDown} decides`) : OK;
}

/** `problems` are those of files that are not in force. */
export function rulesState(problems: readonly string[], ruleCount: number, domainCount: number): PartState {
  const [first, ...others] = problems;
  if (first === undefined) return { status: 'ok', detail: `rules: ${ruleCount}, domains: ${domainCount}` };
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  return degraded(`new rules are refused, the last good ones stay in force: ${first}${more}`);
}

const degraded = (detail: string): PartState => ({ status: 'degraded', detail });
