import type { EventLogReader } from './event-log.js';

/**
 * Several logs read as one, each from its own offsets; `store` is called for each of them at the same time. Where one stops
 * with an error, all do, and `run` rejects with it.
 */
export function joinReaders(readers: readonly EventLogReader[]): EventLogReader {
  const close = async () => {
    await Promise.all(readers.map((reader) => reader.close()));
  };
  return {
    async run(findOffset, store) {
      const runs = readers.map((reader) => reader.run(findOffset, store));
      try {
        await Promise.all(runs);
      } catch (error) {
        await close();
        throw error;
      } finally {
        await Promise.allSettled(runs);
      }
    },
    lag: () => readers.reduce((sum, reader) => sum + reader.lag(), 0),
    caughtUp: async () => {
      await Promise.all(readers.map((reader) => reader.caughtUp()));
    },
    close,
  };
}
