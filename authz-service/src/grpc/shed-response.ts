import { unavailableResponse } from './check-response.js';

/**
 * The bytes of `unavailableResponse`, made in the cheapest way: under overload they are made for most calls, and each
 * microsecond is missing for those that can be served.
 */
export function shedResponse(requestId: string | null, now: Date, retryAfterSeconds: number): Uint8Array {
  const seconds = String(retryAfterSeconds);
  if (requestId?.length !== ID.length || !PLAIN_ID.test(requestId) || seconds.length !== SECONDS.length)
    return unavailableResponse(requestId, now, retryAfterSeconds);
  const bytes = Buffer.from(TEMPLATE);
  bytes.write(requestId, AT.id, 'latin1');
  bytes.write(now.toISOString(), AT.time, 'latin1');
  bytes.write(seconds, AT.seconds, 'latin1');
  return bytes;
}

/** Envoy's ids are UUIDs: of one length, and of characters that JSON writes as they are. */
const PLAIN_ID = /^[0-9a-f-]+$/;
const ID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';
const TIME = '2000-01-01T00:00:00.000Z';
const SECONDS = '7';
const TEMPLATE = Buffer.from(unavailableResponse(ID, new Date(TIME), Number(SECONDS)));
const AT = {
  id: TEMPLATE.indexOf(ID),
  time: TEMPLATE.indexOf(TIME),
  // The value of the header: after its name, and the tag and length of its own.
  seconds: TEMPLATE.indexOf('retry-after') + 'retry-after'.length + 2,
} as const;
