import { beforeAll, describe, expect, test } from 'vitest';
import { FRAMING_CASES } from './spoofing/framing-cases.js';
import { IDENTITY_CASES } from './spoofing/identity-cases.js';
import { faultsOf, identityFaults, reachedBy, replyTo } from './spoofing/judge.js';
import { KEY_CASES } from './spoofing/key-cases.js';
import { everythingIsStored, findLeaks } from './spoofing/leaks.js';
import { ONE_ROUTE_CASES, PATH_CASES } from './spoofing/path-cases.js';
import { ROUTE_CASES } from './spoofing/route-cases.js';
import type { SpoofingCase } from './spoofing/spoofing-case.js';
import { type RoutedGateway, startRoutedGateway, startStandaloneWorld, type World } from './spoofing/world.js';

const EVERYWHERE = [...IDENTITY_CASES, ...KEY_CASES, ...PATH_CASES, ...FRAMING_CASES];
const AT_ONCE = 16;

describe('a gateway with routes', () => {
  let gateway: RoutedGateway;
  let world: World;
  beforeAll(async () => {
    gateway = await startRoutedGateway();
    world = await gateway.open();
    return async () => {
      await world.close();
      await gateway.close();
    };
  });

  test.each(titled([...EVERYWHERE, ...ROUTE_CASES]))('%s', async (_, attempt) => {
    const faults = await faultsOf(world, attempt);
    if (faults.length > 0) expect.fail(faults.join('\n'));
  });

  test('after all of that no part of a key is anywhere but in the requests', () => expectNoLeaks(world));
});

describe('the gateway that npm start runs', () => {
  const attempts = [...EVERYWHERE, ...ONE_ROUTE_CASES];
  let world: World;
  const seen = new Map<SpoofingCase, string>();
  beforeAll(async () => {
    world = await startStandaloneWorld();
    // Envoy takes a second to close on those whom it refuses.
    const left = [...attempts];
    const work = async () => {
      for (let next = left.pop(); next !== undefined; next = left.pop()) seen.set(next, await replyTo(world, next));
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    return () => world.close();
  });

  test.each(titled(attempts))('%s', (_, attempt) => {
    expect(seen.get(attempt)).toBe(attempt.seen);
  });

  test('what reached the upstream were those requests and no other, with the true identity', () => {
    expect(world.upstream.arrived).toHaveLength(attempts.reduce((sum, attempt) => sum + reachedBy(attempt), 0));
    expect(world.upstream.arrived.flatMap((arrived) => identityFaults(arrived, {}, world))).toEqual([]);
  });

  test('after all of that no part of a key is anywhere but in the requests', () => expectNoLeaks(world));
});

async function expectNoLeaks(world: World): Promise<void> {
  await everythingIsStored(world);
  const { leaks, places } = await findLeaks(world);
  if (leaks.length > 0) expect.fail(leaks.join('\n'));
  // Something was looked through in each kind of place.
  const looked = Object.keys(places).filter((place) => (places[place] ?? 0) > 0);
  for (const place of [
    /^(tollgate\.log|output)$/,
    /envoy\.log$/,
    /^events\//,
    /^metrics/,
    /^Envoy \/stats$/,
    /^Envoy \/clusters$/,
    /^table usage_events/,
  ]) {
    expect(looked).toContainEqual(expect.stringMatching(place));
  }
}

function titled(attempts: readonly SpoofingCase[]): (readonly [string, SpoofingCase])[] {
  return attempts.map((attempt) => [attempt.title, attempt] as const);
}
