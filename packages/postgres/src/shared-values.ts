/**
 * One copy of what many records have in common. Each row of the database's driver brings strings of its own, and a million
 * cached keys of a few organizations would hold the same texts a million times.
 */
export interface SharedValues<Value> {
  /** The value that was first given under this name. What it holds must follow from the name alone. */
  share(name: string, value: Value): Value;
}

/** Forgets all when it holds `max`: records that were made before keep what they have. */
export function createSharedValues<Value>(max: number): SharedValues<Value> {
  const values = new Map<string, Value>();
  return {
    share(name, value) {
      const shared = values.get(name);
      if (shared !== undefined) return shared;
      if (values.size >= max) values.clear();
      values.set(name, value);
      return value;
    },
  };
}
