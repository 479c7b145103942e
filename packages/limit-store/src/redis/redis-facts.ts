import { Redis } from 'ioredis';

export interface RedisFacts {
  version: string | undefined;
  /** Undefined where Redis does not tell. */
  maxmemoryPolicy: string | undefined;
}

const DEADLINE_MS = 3_000;

/** Asks Redis once what it is. Throws, in words without the password, where it does not answer within three seconds. */
export async function readRedisFacts(url: string): Promise<RedisFacts> {
  const redis = new Redis(url, {
    lazyConnect: true,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    // It asks by INFO itself, and with a user who may not, it would never be ready.
    enableReadyCheck: false,
    disableClientInfo: true,
    connectTimeout: DEADLINE_MS,
    commandTimeout: DEADLINE_MS,
  });
  // What failed is told here; the calls say only that the connection is closed.
  let cause: NodeJS.ErrnoException | undefined;
  redis.on('error', (error: NodeJS.ErrnoException) => {
    cause ??= error;
  });
  try {
    await redis.connect();
    const info = await redis.info();
    return { version: infoField(info, 'redis_version'), maxmemoryPolicy: infoField(info, 'maxmemory_policy') };
  } catch (error) {
    throw new Error(reason(cause ?? (error as NodeJS.ErrnoException)));
  } finally {
    redis.disconnect();
  }
}

/** A reply of Redis, or the code of a system error; never an address, in which a password stands. */
function reason({ name, code, message }: NodeJS.ErrnoException): string {
  if (name === 'ReplyError') return `it refuses: ${message}`;
  return code ?? (/time/i.test(message) ? `no answer within ${DEADLINE_MS / 1_000} s` : message);
}

function infoField(info: string, name: string): string | undefined {
  return new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1];
}
