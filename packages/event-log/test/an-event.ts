import { randomUUID } from 'node:crypto';
import type { UsageEvent } from '@tollgate/domain/usage-event';

export function anEvent(number: number): UsageEvent {
  return {
    v: 1,
    event_id: number.toString(16).padStart(32, '0'),
    time: '2026-11-23T09:59:48.123456Z',
    request_id: `request ${number}`,
    organization_id: '018f3a2e-0000-7000-8000-000000000001',
    api_key_id: randomUUID(),
    environment: 'live',
    method: 'GET',
    path: '/v1/orders/ü',
    route: 'orders',
    status_code: 200,
    response_time_ms: 12.3,
    request_bytes: 0,
    response_bytes: 512,
    billable: true,
    units: 1,
    origin: 'upstream',
  };
}

export function eventsFrom(first: number, count: number): UsageEvent[] {
  return Array.from({ length: count }, (_, index) => anEvent(first + index));
}
