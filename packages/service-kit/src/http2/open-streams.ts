/** The open calls of one connection, by their number. */
export interface OpenStreams<Stream extends { readonly id: number }> {
  readonly size: number;
  get(id: number): Stream | undefined;
  /** A number that was not there before. */
  add(stream: Stream): void;
  /** One that is not open any more changes nothing. */
  delete(stream: Stream): void;
  /** A copy, in no order. */
  all(): Stream[];
}

/** A power of two, above what an Envoy has open at once. */
const SLOTS = 256;

/**
 * Numbers come one after the other and hardly any call is open for long, so each has a slot by its number; one that is in the
 * way of a later one moves aside. A Map would do, but for memory: each table that V8 gives up while calls come and go points to
 * the next one (OrderedHashTable in V8's src/objects), so that once one of them has grown old, all later ones and the calls in
 * them grow old too, until a major garbage collection.
 */
export function createOpenStreams<Stream extends { readonly id: number }>(): OpenStreams<Stream> {
  const slots: (Stream | undefined)[] = new Array(SLOTS).fill(undefined);
  const aside = new Map<number, Stream>();
  let size = 0;
  // A peer opens odd numbers alone.
  const slotOf = (id: number): number => (id >>> 1) & (SLOTS - 1);
  const get = (id: number): Stream | undefined => {
    const stream = slots[slotOf(id)];
    return stream?.id === id ? stream : aside.get(id);
  };
  return {
    get size() {
      return size;
    },
    get,
    add(stream) {
      const slot = slotOf(stream.id);
      const older = slots[slot];
      if (older !== undefined) aside.set(older.id, older);
      slots[slot] = stream;
      size++;
    },
    delete(stream) {
      const slot = slotOf(stream.id);
      if (slots[slot] === stream) slots[slot] = undefined;
      else if (!aside.delete(stream.id)) return;
      size--;
    },
    all: () => [...aside.values(), ...slots.filter((stream) => stream !== undefined)],
  };
}
