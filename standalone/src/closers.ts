/** What was started, to be ended in the opposite order, each part whether or not the one before it failed. */
export interface Closers {
  add(name: string, close: () => Promise<void>): void;
  /** Ends everything once; a second call waits for the first. Failures are told, not thrown. */
  closeAll(): Promise<void>;
}

export function createClosers(onFailure: (name: string, error: unknown) => void): Closers {
  const stack: { name: string; close: () => Promise<void> }[] = [];
  let closing: Promise<void> | undefined;

  async function run(): Promise<void> {
    for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
      try {
        await next.close();
      } catch (error) {
        onFailure(next.name, error);
      }
    }
  }

  return {
    add: (name, close) => {
      stack.push({ name, close });
    },
    closeAll: () => {
      closing ??= run();
      return closing;
    },
  };
}
