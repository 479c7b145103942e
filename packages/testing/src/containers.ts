import { GenericContainer, Wait } from 'testcontainers';

const POSTGRES_IMAGE = 'postgres:18-alpine';
const REDIS_IMAGE = 'redis:7-alpine';

export type Containers = { databaseUrl: string; redisUrl: string; images: string[]; close(): Promise<void> };

/** PostgreSQL and Redis in containers. Throws with the next step where no container engine answers. */
export async function startContainers(): Promise<Containers> {
  try {
    return await start();
  } catch (cause) {
    throw new Error(
      'TEST_SERVICES=containers needs a container engine, such as Docker, that this user may use. ' +
        'Start it, or run with TEST_SERVICES=local, which needs none.',
      { cause },
    );
  }
}

async function start(): Promise<Containers> {
  const [postgres, redis] = await Promise.all([
    new GenericContainer(POSTGRES_IMAGE)
      .withEnvironment({ POSTGRES_PASSWORD: 'test' })
      .withExposedPorts(5432)
      .withWaitStrategy(Wait.forLogMessage('database system is ready to accept connections', 2))
      .start(),
    new GenericContainer(REDIS_IMAGE).withExposedPorts(6379).start(),
  ]);
  return {
    databaseUrl: `postgres://postgres:test@${postgres.getHost()}:${postgres.getMappedPort(5432)}/postgres`,
    redisUrl: `redis://${redis.getHost()}:${redis.getMappedPort(6379)}`,
    images: [POSTGRES_IMAGE, REDIS_IMAGE],
    close: async () => {
      await Promise.all([postgres.stop(), redis.stop()]);
    },
  };
}
