import { keyParts } from './key-parts.js';
import type { Arrived } from './recording-upstream.js';
import { sendFrames } from './send-frames.js';
import { type Reply, sendBytes, sendHttp1 } from './send-http1.js';
import { sendHttp2 } from './send-http2.js';
import type { Fields, KeyName, Request, SpoofingCase } from './spoofing-case.js';
import type { World } from './world.js';

const REQUEST_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** How the attempt is answered, and nothing else. */
export async function replyTo(world: World, attempt: SpoofingCase): Promise<string> {
  return (await send(world.gatewayUrl, filledIn(attempt.request, world))).seen;
}

/** How many requests the attempt brings to the upstream. */
export function reachedBy({ reached, seen }: SpoofingCase): number {
  return reached ?? (/^(2|101)/.test(seen) ? 1 : 0);
}

/** Makes the attempt, and returns all that went wrong, in words. */
export async function faultsOf(world: World, attempt: SpoofingCase): Promise<string[]> {
  const { upstream } = world;
  const before = upstream.arrived.length;
  const heardBefore = upstream.heard.length;
  const reply = await send(world.gatewayUrl, filledIn(attempt.request, world));
  const arrived = upstream.arrived.slice(before);
  const heard = upstream.heard.slice(heardBefore).join('');
  const leaks = keyParts(world).filter(({ part }) => reply.text.includes(part));
  const heardKeys = attempt.givesKeyAway === true ? [] : keyParts(world).filter(({ part }) => heard.includes(part));
  const reached = reachedBy(attempt);
  return [
    ...(reply.seen === attempt.seen ? [] : [`the caller sees ${reply.seen}, not ${attempt.seen}`]),
    ...(arrived.length === reached ? [] : [`${arrived.length} requests reach the upstream, not ${reached}`]),
    ...leaks.map(({ name, part }) => `the answer holds ${part} of the key ${name}`).slice(0, 1),
    ...heardKeys.map(({ name, part }) => `the upstream hears ${part} of the key ${name}`).slice(0, 1),
    ...arrived.flatMap((request) => identityFaults(request, attempt, world)),
    ...expectationFaults(arrived.at(-1), attempt),
  ];
}

function send(gatewayUrl: string, request: Request): Promise<Reply> {
  switch (request.over) {
    case 'http/1.1':
      return sendHttp1(gatewayUrl, request);
    case 'http/2':
      return sendHttp2(gatewayUrl, request);
    case 'bytes':
      return sendBytes(gatewayUrl, request.bytes);
    case 'frames':
      return sendFrames(gatewayUrl, request);
  }
}

/** With the keys of this world in their places. */
function filledIn<T extends Request>(request: T, { keys }: World): T {
  return JSON.parse(
    JSON.stringify(request).replace(/\{(own|other|admin|unknown)\}/g, (_, name: KeyName) => keys[name].secret),
  ) as T;
}

/** The names of our identity, however they are spelt, hold what authz said, once, or are not there at all. */
export function identityFaults(
  { headers, trailers }: Arrived,
  { as = 'own' }: Pick<SpoofingCase, 'as'>,
  { keys }: World,
): string[] {
  const key = as === 'nobody' ? undefined : keys[as];
  const expected: Record<string, readonly string[]> = {
    'x-organization-id': key === undefined ? [] : [key.organizationId],
    'x-api-key-id': key === undefined ? [] : [key.keyId],
    'x-plan-tier': key === undefined ? [] : [key.plan],
    'x-api-key': [],
  };
  const faults = Object.entries(expected).flatMap(([name, values]) => {
    const sent = valuesOf(headers, name);
    return JSON.stringify(sent) === JSON.stringify(values) ? [] : [`${name} is ${JSON.stringify(sent)}`];
  });
  const ids = valuesOf(headers, 'x-request-id');
  if (ids.length !== 1 || !REQUEST_ID.test(ids[0] ?? '')) faults.push(`x-request-id is ${JSON.stringify(ids)}`);
  const reserved = headers.filter(([name]) => normalised(name).startsWith('x-tollgate-'));
  const trailing = trailers.filter(
    ([name]) => /^x-(tollgate-.*|request-id)$/.test(normalised(name)) || normalised(name) in expected,
  );
  return [
    ...faults,
    ...reserved.map(([name]) => `${name} reaches the upstream`),
    ...trailing.map(([name, value]) => `the trailer ${name}: ${value} reaches the upstream`),
  ];
}

function expectationFaults(arrived: Arrived | undefined, { upstream }: SpoofingCase): string[] {
  if (upstream === undefined) return [];
  if (arrived === undefined) return ['nothing reaches the upstream'];
  const { path, headers = {} } = upstream;
  return [
    ...(path === undefined || arrived.path === path ? [] : [`the upstream sees the path ${arrived.path}, not ${path}`]),
    ...Object.entries(headers).flatMap(([name, wanted]) => {
      const sent = valuesOf(arrived.headers, name).join(',');
      const isRight = wanted === null ? sent === '' : typeof wanted === 'string' ? sent === wanted : wanted.test(sent);
      return isRight ? [] : [`${name} is ${JSON.stringify(sent)}, not ${wanted}`];
    }),
  ];
}

function valuesOf(fields: Fields, name: string): string[] {
  return fields.filter(([sent]) => normalised(sent) === name).map(([, value]) => value);
}

/** As servers do that take `_` for `-`. */
function normalised(name: string): string {
  return name.toLowerCase().replaceAll('_', '-');
}
