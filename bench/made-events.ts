/** Usage events for benches: each is new, at a time of its own, of one organization after the other. */
import { randomUUID } from 'node:crypto';
import { isoMicros, type UsageEvent } from '@tollgate/domain/usage-event';

export const ORGANIZATIONS: readonly string[] = Array.from({ length: 50 }, () => randomUUID());
const GAP_MICROS = 5_000n;

/** Yesterday's first moment: millions of events later it is still the past, which a writer wants. */
const START_MICROS = BigInt((Math.floor(Date.now() / 86_400_000) - 1) * 86_400_000) * 1000n;
let made = 0n;

/** So many, right after those that were made before. */
export function newEvents(count: number): UsageEvent[] {
  return Array.from({ length: count }, () => anEventAt(START_MICROS + ++made * GAP_MICROS));
}

export function anEventAt(micros: bigint): UsageEvent {
  const number = micros / GAP_MICROS;
  return {
    v: 1,
    event_id: randomUUID().replaceAll('-', ''),
    time: isoMicros(micros),
    request_id: randomUUID(),
    organization_id: ORGANIZATIONS[Number(number % BigInt(ORGANIZATIONS.length))] ?? '',
    api_key_id: '0f8fad5b-d9cb-469f-a165-70867728950e',
    environment: 'live',
    method: 'GET',
    path: `/v1/orders/${number % 1000n}`,
    route: 'orders',
    status_code: 200,
    response_time_ms: Number(number % 997n) / 10,
    request_bytes: 120,
    response_bytes: 2048,
    billable: true,
    units: 1,
    origin: 'upstream',
  };
}
