import type { KeyName } from './spoofing-case.js';
import type { World } from './world.js';

/** Lists show 12 characters of a key; 20 are a leak. */
const PART_CHARACTERS = 20;

/** Every run of 20 characters of every key. */
export function keyParts({ keys }: Pick<World, 'keys'>): { name: string; part: string }[] {
  return (Object.entries(keys) as [KeyName, World['keys'][KeyName]][]).flatMap(([name, { secret }]) =>
    Array.from({ length: secret.length - PART_CHARACTERS + 1 }, (_, start) => ({
      name,
      part: secret.slice(start, start + PART_CHARACTERS),
    })),
  );
}
